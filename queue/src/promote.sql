-- Makes due jobs ready: $1 shard, $2 how many. See promote.rs.
with promoted as (
    update queue.job as job
       -- A job under a limit waits for a place, unless it is one of a sequence that has kept its own.
       set state = case when job.limit_name is null or (job.is_sequence and job.held & 2 > 0) then 1 else 3 end
     where job.ctid = any (array(
               select due.ctid
                 from queue.job as due
                where due.shard = $1 and due.state = 0 and due.run_at <= statement_timestamp()
                order by due.run_at
                limit $2
                  for update skip locked
           ))
    returning job.queue, job.state
),
counted as (
    insert into queue.counter_change (shard, queue, scheduled, ready, waiting)
    select $1, queue, -count(*), nullif(count(*) filter (where state = 1), 0), nullif(count(*) filter (where state = 3), 0)
      from promoted
     group by queue
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
