-- Gives a job that has not begun another payload and due time: $1 shard, $2 unique key, $3 delay, $4 time, $5 payload, $6 expiry,
-- $7 the version of the payload, $8 the job that the payload is for.
with found as (
    select ctid as place, queue, state
      from queue.job
     where shard = $1 and unique_key = $2 and id = $8 and owner is null
       for update
),
replaced as (
    update queue.job as job
       set payload = $5::text::json,
           version = $7,
           run_at = due.at,
           expires_at = $6,
           state = case when job.waits_for <> 0 then 3
                        when due.at > statement_timestamp() then 0
                        when job.limit_name is not null then 3
                        else 1 end
      from (select coalesce($4, statement_timestamp() + make_interval(secs => $3)) as at) as due
     where job.ctid = any (array(select place from found))
    returning job.id, job.queue, job.state
),
counted as (
    insert into queue.counter_change (shard, queue, scheduled, ready, waiting)
    select $1, queue, sum(jobs) filter (where state = 0), sum(jobs) filter (where state = 1), sum(jobs) filter (where state = 3)
      from (select queue, state, -1 as jobs from found union all select queue, state, 1 from replaced) as changes
     group by queue
)
select id, state from replaced
