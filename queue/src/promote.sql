-- Makes due jobs ready: $1 shard, $2 how many. See promote.rs.
with promoted as (
    update queue.job as job
       set state = 1
     where job.ctid = any (array(
               select due.ctid
                 from queue.job as due
                where due.shard = $1 and due.state = 0 and due.run_at <= statement_timestamp()
                order by due.run_at
                limit $2
                  for update skip locked
           ))
    returning job.queue
)
select (select count(*) from promoted) as "jobs!",
       array(select distinct queue from promoted) as "queues!",
       (
           select extract(epoch from run_at - statement_timestamp())::float8
             from queue.job
            where shard = $1 and state = 0 and run_at > statement_timestamp()
            order by run_at
            limit 1
       ) as next_s
