-- Puts back locked jobs that were laid aside: $1 shard, $2 ids, $3 kind. See pause.rs.
with put_back as (
    update queue.job as job
       set waits_for = 0,
           state = case when job.run_at > statement_timestamp() then 0
                        -- A job under a limit waits for a place, unless it is one of a sequence that has kept its own.
                        when job.limit_name is null or (job.is_sequence and job.held & 2 > 0) then 1
                        else 3 end
     -- Not as the partial index has it: by that, each batch would read all jobs that lie aside.
     where job.shard = $1 and job.id = any ($2::uuid[]) and job.state::integer = 3 and job.waits_for::integer = -1
       -- Paused again meanwhile: they stay where they are.
       and not exists (select from queue.kind_pause where shard = $1 and kind = $3)
    returning job.queue, job.state
),
counted as (
    insert into queue.counter_change (shard, queue, scheduled, ready, waiting)
    select $1, queue, nullif(count(*) filter (where state = 0), 0), nullif(count(*) filter (where state = 1), 0),
           -nullif(count(*) filter (where state <> 3), 0)
      from put_back
     group by queue
)
select count(*) as "put_back!" from put_back
