-- Cancels waiting jobs: $1 shard, then beside each other $2 ids, and of the job that was waited for $3 id and $4 end. See unblock.rs.
with given as materialized (
    select $1::smallint as shard, asked.*
      from unnest($2::uuid[], $3::uuid[], $4::smallint[]) as asked(id, on_job, end_state)
),
cancelled as (
    delete from queue.job as job
     using given
     -- One way only to find them, as in settle/any.sql.
     where job.shard = any (array[given.shard])
       and job.id >= given.id
       and job.id <= given.id
       and job.state = 3
       and job.waits_for > 0
    returning job.*, given.on_job, given.end_state
),
filed as (
    insert into queue.job_history (
        shard, state, attempt, crashes, epoch, priority, max_attempts, finished_at, started_at, process, id,
        run_at, created_at, queue, kind, actor, trace, progress, errors, payload, version,
        tags, parent, limit_name, limit_key
    )
    select shard, 6, attempt, crashes, epoch, priority, max_attempts, clock_timestamp(), null, null, id,
           run_at, created_at, queue, kind, actor, trace, progress,
           coalesce(errors, '[]') || jsonb_build_object(
               'error', format(
                   'the job %s, which it waited for, %s', on_job,
                   case end_state when 5 then 'was discarded' when 6 then 'was cancelled' else 'died' end
               ),
               'chain', '[]'::jsonb, 'attempt', attempt, 'at', clock_timestamp(), 'process', null
           ),
           payload, version, tags, parent, limit_name, limit_key
      from cancelled
),
told as (
    -- Whoever waits for these is told in a later round.
    insert into queue.ended (shard, id, state)
    select shard, id, 6 from cancelled where has_dependants
        on conflict (shard, id) do update set state = excluded.state
),
counted as (
    insert into queue.counter_change (shard, queue, waiting, cancelled)
    select $1, queue, -count(*), count(*) from cancelled group by queue
)
select count(*) as "cancelled!" from cancelled
