-- Changes locked jobs: $1 shard, $2 ids, $3 whether they are due now, $4 when else, $5 priority, $6 how many jobs come before them.
-- See apply.rs.
with before as materialized (
    select job.id, job.queue, job.state,
           -- A microsecond apart, so that they keep their order.
           case when $3 then statement_timestamp() else $4::timestamptz end
               + make_interval(secs => ($6::bigint + row_number() over (order by job.id) - 1) * 1e-6) as due_at
      from queue.job as job
     where job.shard = $1 and job.id = any ($2::uuid[]) and job.owner is null
),
changed as (
    update queue.job as job
       set priority = coalesce($5::smallint, job.priority),
           run_at = coalesce(before.due_at, job.run_at),
           state = case when before.due_at is null or (job.state = 3 and job.waits_for <> 0) then job.state
                        when not $3 and $4 > statement_timestamp() then 0
                        -- A job under a limit waits for a place, unless it is one of a sequence that has kept its own.
                        when job.limit_name is null or (job.is_sequence and job.held & 2 > 0) then 1
                        else 3 end
      from before
     where job.shard = $1 and job.id = before.id
    returning job.queue, job.state
),
counted as (
    insert into queue.counter_change (shard, queue, scheduled, ready, waiting)
    select $1, queue, sum(jobs) filter (where state = 0), sum(jobs) filter (where state = 1), sum(jobs) filter (where state = 3)
      from (select queue, state, -1 as jobs from before union all select queue, state, 1 from changed) as changes
     group by queue
    having sum(jobs) filter (where state = 0) <> 0
        or sum(jobs) filter (where state = 1) <> 0
        or sum(jobs) filter (where state = 3) <> 0
)
select count(*) as "changed!" from changed
