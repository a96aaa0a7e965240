-- Finds a job wherever it is: $1 shard, $2 id. See inspect.rs.
select kind as "kind!", queue as "queue!", state as "state!", priority as "priority!",
       attempt as "attempt!", max_attempts as "max_attempts!", run_at as "run_at!", created_at as "created_at!",
       started_at, finished_at, actor, parent, tags, cancelled_by, reason, errors, progress, result
  from (
       select 1 as place, kind, queue, case when owner is null then state else 2 end as state, priority, attempt, max_attempts, run_at, created_at,
              claimed_at as started_at, null::timestamptz as finished_at, actor, parent, tags, cancelled_by,
              null::text as reason, errors, progress, null::json as result
         from queue.job
        where shard = $1 and id = $2
        union all
       select 2, kind, queue, 7, priority, attempt, max_attempts, run_at, created_at,
              started_at, died_at, actor, parent, tags, null, reason, errors, progress, null
         from queue.dead_job
        where shard = $1 and id = $2
        union all
       select 3, kind, queue, state, priority, attempt, max_attempts, run_at, created_at,
              started_at, finished_at, actor, parent, tags, null, null, errors, progress, result
         from queue.job_history
        where shard = $1 and id = $2
       ) as everywhere
 -- An id may have been used again: the live job first, then the one that ended last.
 order by place, finished_at desc
 limit 1
