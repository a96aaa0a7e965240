-- Settles claims: $1 shard, then beside each other $2 id, $3 epoch, $4 owner, $5 final state, 0 or 3, $6 delay, $7 attempt taken back,
-- $8 failure, $9 reason or result, $10 when it was claimed. See settle.rs.
with outcome as materialized (
    -- Each array for itself: as one function of many arrays, every row would be stored once more in between.
    select $1::smallint as shard, unnest($2::uuid[]) as id, unnest($3::integer[]) as epoch, unnest($4::uuid[]) as owner,
           unnest($5::smallint[]) as state, unnest($6::float8[]) as delay_s, unnest($7::boolean[]) as refunded,
           unnest($8::text[]) as failure, unnest($9::text[]) as detail, unnest($10::timestamptz[]) as claimed_at
),
ended as (
    delete from queue.job as job
     using outcome
     -- An equality of shard and id in plain form would leave the planner other ways than one look-up in the
     -- primary key for each outcome: it takes them while the table is empty, and keeps them when it is not.
     where job.shard = any (array[outcome.shard])
       and job.id >= outcome.id
       and job.id <= outcome.id
       and job.epoch = outcome.epoch
       and job.owner = outcome.owner
       and job.claimed_at = outcome.claimed_at
       and outcome.state >= 4
    -- What is read of every row comes first: what lies behind texts is slow to reach.
    returning outcome.state as final_state, outcome.claimed_at as settled_claim, job.has_dependants as is_awaited, job.held as held_to_end, job.*, outcome.failure,
              outcome.detail
),
filed as (
    insert into queue.job_history (
        shard, state, attempt, crashes, epoch, priority, max_attempts, finished_at, started_at, process, id,
        run_at, created_at, queue, kind, actor, trace, progress, errors, result, payload,
        tags, parent, limit_name, limit_key, version
    )
    select shard, final_state, attempt, crashes, epoch, priority, max_attempts, clock_timestamp(), claimed_at,
           owner, id, run_at, created_at, queue, kind, actor, trace, progress,
           case when failure is null then errors else coalesce(errors, '[]') || (failure::jsonb || jsonb_build_object(
               'attempt', attempt, 'at', clock_timestamp(), 'process', owner
           )) end,
           detail::json, payload, tags, parent, limit_name, limit_key, version
      from ended
     where final_state < 7
),
buried as (
    insert into queue.dead_job (
        shard, attempt, crashes, epoch, priority, max_attempts, died_at, started_at, process, id,
        run_at, created_at, reason, queue, kind, actor, trace, progress, errors, payload,
        tags, parent, limit_name, limit_key, is_sequence, weight, version, cursor, unique_key
    )
    select shard, attempt, crashes, epoch, priority, max_attempts, clock_timestamp(), claimed_at, owner, id,
           run_at, created_at, detail, queue, kind, actor, trace, progress,
           coalesce(errors, '[]') || (failure::jsonb || jsonb_build_object(
               'attempt', attempt, 'at', clock_timestamp(), 'process', owner
           )),
           payload, tags, parent, limit_name, limit_key, is_sequence, weight, version, cursor, unique_key
      from ended
     where final_state = 7
    -- An id that was used again and died again: the last death stands.
        on conflict (shard, id) do update
       set (attempt, crashes, epoch, died_at, started_at, process, reason, kind, queue, errors, payload, version, cursor, unique_key) = (
               excluded.attempt, excluded.crashes, excluded.epoch, excluded.died_at, excluded.started_at,
               excluded.process, excluded.reason, excluded.kind, excluded.queue, excluded.errors,
               excluded.payload, excluded.version, excluded.cursor, excluded.unique_key
           )
),
told as (
    -- Whoever waits for these is unblocked apart from this statement.
    insert into queue.ended (shard, id, state)
    select shard, id, final_state from ended where is_awaited
        on conflict (shard, id) do update set state = excluded.state
),
paused as materialized (
    -- Locked, so that a job is not laid aside while its kind is being resumed.
    select kind
      from queue.kind_pause
     where shard = $1 and exists (select from outcome where state = 3)
       for key share
),
kept as (
    update queue.job as job
       set (state, waits_for) = (
               select case when outcome.delay_s > 0 then 0
                           when is_paused or (job.limit_name is not null and not job.is_sequence) then 3
                           else 1 end,
                      case when is_paused then -1 else 0 end
                 from (select outcome.state = 3 and job.kind = any (array(select kind from paused)) as is_paused) as facts
           ),
           run_at = coalesce(clock_timestamp() + make_interval(secs => outcome.delay_s), job.run_at),
           attempt = job.attempt - case when outcome.refunded then 1 else 0 end,
           owner = null,
           claimed_at = null,
           on_trial = false,
           errors = case when outcome.failure is null then job.errors
                         else coalesce(job.errors, '[]') || (outcome.failure::jsonb || jsonb_build_object(
                                  'attempt', job.attempt, 'at', clock_timestamp(), 'process', job.owner
                              )) end
      from outcome
     where job.shard = any (array[outcome.shard])
       and job.id >= outcome.id
       and job.id <= outcome.id
       and job.epoch = outcome.epoch
       and job.owner = outcome.owner
       and job.claimed_at = outcome.claimed_at
       and outcome.state < 4
    returning job.id, outcome.claimed_at as settled_claim, job.queue, job.state, job.held, job.is_sequence, job.limit_name,
              job.limit_key
),
left_off as materialized (
    select id, settled_claim, final_state as state, held_to_end as held, is_awaited, held_to_end & 2 > 0 as frees_key, queue, limit_name, limit_key
      from ended
     union all
    select id, settled_claim, state, held, false, held & 2 > 0 and not is_sequence, queue, limit_name, limit_key from kept
),
counted as (
    insert into queue.counter_change (
        shard, queue, scheduled, ready, running, waiting, succeeded, discarded, cancelled, dead
    )
    select $1, queue,
           nullif(count(*) filter (where state = 0), 0), nullif(count(*) filter (where state = 1), 0), -count(*),
           nullif(count(*) filter (where state = 3), 0), nullif(count(*) filter (where state = 4), 0),
           nullif(count(*) filter (where state = 5), 0), nullif(count(*) filter (where state = 6), 0),
           nullif(count(*) filter (where state = 7), 0)
      from left_off
     group by queue
),
freed_queues as (
    update queue.queue_control as control
       set running = control.running - freed.jobs
      from (select queue, count(*)::integer as jobs from left_off where held & 1 > 0 group by queue order by queue) as freed
     where control.shard = $1 and control.queue = freed.queue
),
freed_keys as (
    insert into queue.limit_free (shard, name, key, jobs)
    select $1, limit_name, limit_key, count(*) from left_off where frees_key group by limit_name, limit_key
)
select array(select id from left_off) as "settled!", array(select settled_claim from left_off) as "claimed!",
       exists (select from left_off where held > 0) as "has_freed!",
       exists (select from left_off where is_awaited) as "has_dependants!"
