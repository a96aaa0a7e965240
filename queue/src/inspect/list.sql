-- A window of jobs, the newest id first: $1 shard, $2 below this id, $3 down to this one; which tables: $4 live, $5 dead,
-- $6 ended; then the conditions, and $18 how many. See list.rs.
(
    select id as "id!", kind as "kind!", queue as "queue!", case when owner is null then state else 2 end::smallint as "state!",
           priority as "priority!", attempt as "attempt!", max_attempts as "max_attempts!", run_at as "run_at!",
           created_at as "created_at!", claimed_at as started_at, null::timestamptz as finished_at, actor, parent,
           coalesce(tags, '{}') as "tags!", null::text as reason, left(errors -> -1 ->> 'error', 1000) as last_error
      from (
           -- By the primary key, or by the parent's index: whatever else is asked for is looked at row by row.
           select *
             from queue.job
            where shard = $1 and $4
              and id < $2 and id >= $3
              and ($7::uuid is null or parent = $7)
            order by id desc
           offset 0
           ) as live
     where case when owner is null then state else 2 end = any ($8::smallint[])
       and ($9::text is null or queue = $9)
       and ($10::text is null or kind = $10)
       and ($11::text is null or $11 = any (tags))
       and ($12::text is null or actor = $12)
       and ($13::timestamptz is null or created_at >= $13)
       and ($14::timestamptz is null or created_at < $14)
       and ($15::timestamptz is null or run_at >= $15)
       and ($16::timestamptz is null or run_at < $16)
       and ($17::text is null or position(lower($17) in lower(errors -> -1 ->> 'error')) > 0)
     limit $18
)
 union all
(
    select id, kind, queue, 7::smallint, priority, attempt, max_attempts, run_at, created_at, started_at, died_at, actor, parent,
           coalesce(tags, '{}'), reason, left(errors -> -1 ->> 'error', 1000)
      from (
           select *
             from queue.dead_job
            where shard = $1 and $5
              and id < $2 and id >= $3
              and ($7::uuid is null or parent = $7)
            order by id desc
           offset 0
           ) as dead
     where ($9::text is null or queue = $9)
       and ($10::text is null or kind = $10)
       and ($11::text is null or $11 = any (tags))
       and ($12::text is null or actor = $12)
       and ($13::timestamptz is null or created_at >= $13)
       and ($14::timestamptz is null or created_at < $14)
       and ($15::timestamptz is null or run_at >= $15)
       and ($16::timestamptz is null or run_at < $16)
       and ($17::text is null or position(lower($17) in lower(errors -> -1 ->> 'error')) > 0)
     limit $18
)
 union all
(
    select id, kind, queue, state, priority, attempt, max_attempts, run_at, created_at, started_at, finished_at, actor, parent,
           coalesce(tags, '{}'), null, left(errors -> -1 ->> 'error', 1000)
      from (
           select *
             from queue.job_history
            where shard = $1 and $6
              and id < $2 and id >= $3
              and ($7::uuid is null or parent = $7)
              -- What was created after a time also ended after it: the days before are not looked into.
              and finished_at >= coalesce($13::timestamptz, '-infinity')
            order by id desc
           offset 0
           ) as ended
     where state = any ($8::smallint[])
       and ($9::text is null or queue = $9)
       and ($10::text is null or kind = $10)
       and ($11::text is null or $11 = any (tags))
       and ($12::text is null or actor = $12)
       and ($13::timestamptz is null or created_at >= $13)
       and ($14::timestamptz is null or created_at < $14)
       and ($15::timestamptz is null or run_at >= $15)
       and ($16::timestamptz is null or run_at < $16)
       and ($17::text is null or position(lower($17) in lower(errors -> -1 ->> 'error')) > 0)
     limit $18
)
 order by 1 desc
 limit $18
