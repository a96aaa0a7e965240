-- Settles claims of jobs that succeeded, where the claims put them: $1 shard, then beside each other $2 id, $3 epoch, $4 owner,
-- $5 when it was claimed, $6 the row's ctid, $7 the result. What has been moved since is left alone. See settle.rs.
with outcome as materialized (
    select $1::smallint as shard, unnest($2::uuid[]) as id, unnest($3::integer[]) as epoch, unnest($4::uuid[]) as owner,
           unnest($5::timestamptz[]) as claimed_at, unnest($6::text[])::tid as row, unnest($7::text[]) as result
),
ended as (
    delete from queue.job as job
     using outcome
     -- What lies there now may be another job, or another claim. Equalities would leave the planner other ways to the row.
     where job.ctid = outcome.row
       and job.shard is not distinct from outcome.shard
       and job.id is not distinct from outcome.id
       and job.epoch = outcome.epoch
       and job.owner = outcome.owner
       and job.claimed_at = outcome.claimed_at
    returning job.held, job.has_dependants, job.shard, job.attempt, job.crashes, job.epoch, job.priority, job.max_attempts,
              job.claimed_at, job.owner, job.id, job.run_at, job.created_at, job.queue, job.kind, job.limit_name, job.limit_key,
              job.tags, job.actor, job.trace, job.parent, job.progress, job.errors, job.payload, job.version, outcome.result
),
filed as (
    insert into queue.job_history (
        shard, state, attempt, crashes, epoch, priority, max_attempts, finished_at, started_at, process, id,
        run_at, created_at, queue, kind, actor, trace, progress, errors, result, payload,
        tags, parent, limit_name, limit_key, version
    )
    select shard, 4, attempt, crashes, epoch, priority, max_attempts, clock_timestamp(), claimed_at, owner, id,
           run_at, created_at, queue, kind, actor, trace, progress, errors, result::json, payload,
           tags, parent, limit_name, limit_key, version
      from ended
),
by_queue as materialized (
    select queue, count(*)::integer as jobs, bit_or(held) as held, bool_or(has_dependants) as has_dependants
      from ended
     group by queue
),
counted as (
    insert into queue.counter_change (shard, queue, running, succeeded)
    select $1, queue, -jobs, jobs from by_queue
),
summed as materialized (
    select sum(jobs) as jobs, coalesce(bit_or(held) & 1 > 0, false) as has_freed_queues,
           coalesce(bit_or(held) & 2 > 0, false) as has_freed_keys, coalesce(bool_or(has_dependants), false) as has_dependants
      from by_queue
),
told as (
    -- Whoever waits for these is unblocked apart from this statement.
    insert into queue.ended (shard, id, state)
    select shard, id, 4 from ended where (select has_dependants from summed) and has_dependants
        on conflict (shard, id) do update set state = excluded.state
),
freed_queues as (
    update queue.queue_control as control
       set running = control.running - freed.jobs
      from (
           select queue, count(*)::integer as jobs
             from ended
            where (select has_freed_queues from summed) and held & 1 > 0
            group by queue
            order by queue
           ) as freed
     where control.shard = $1 and control.queue = freed.queue
),
freed_keys as (
    insert into queue.limit_free (shard, name, key, jobs)
    select $1, limit_name, limit_key, count(*)
      from ended
     where (select has_freed_keys from summed) and held & 2 > 0
     group by limit_name, limit_key
)
select case when jobs is distinct from cardinality($2) then array(select id from ended) end as settled,
       case when jobs is distinct from cardinality($2) then array(select claimed_at from ended) else '{}' end as "claimed!",
       has_freed_queues as "has_freed_queues!", has_freed_keys as "has_freed_keys!", has_dependants as "has_dependants!"
  from summed
