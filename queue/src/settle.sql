-- Settles claims: $1 shard, then beside each other $2 id, $3 epoch, $4 owner, $5 final state or 0, $6 delay, $7 attempt taken back,
-- $8 failure, $9 reason or result. See settle.rs.
with outcome as materialized (
    select $1::smallint as shard, given.*
      from unnest(
               $2::uuid[], $3::integer[], $4::uuid[], $5::smallint[],
               $6::float8[], $7::boolean[], $8::text[], $9::text[]
           ) as given(id, epoch, owner, state, delay_s, refunded, failure, detail)
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
       and outcome.state >= 4
    returning job.*, outcome.state as final_state, outcome.failure, outcome.detail
),
filed as (
    insert into queue.job_history (
        shard, state, attempt, crashes, epoch, priority, max_attempts, finished_at, started_at, process, id,
        run_at, created_at, queue, kind, actor, trace, progress, errors, result, payload, version
    )
    select shard, final_state, attempt, crashes, epoch, priority, max_attempts, clock_timestamp(), claimed_at,
           owner, id, run_at, created_at, queue, kind, actor, trace, progress,
           case when failure is null then errors else coalesce(errors, '[]') || (failure::jsonb || jsonb_build_object(
               'attempt', attempt, 'at', clock_timestamp(), 'process', owner
           )) end,
           detail::json, payload, version
      from ended
     where final_state < 7
),
buried as (
    insert into queue.dead_job (
        shard, attempt, crashes, epoch, priority, max_attempts, died_at, started_at, process, id,
        run_at, created_at, reason, queue, kind, actor, trace, progress, errors, payload, version, cursor
    )
    select shard, attempt, crashes, epoch, priority, max_attempts, clock_timestamp(), claimed_at, owner, id,
           run_at, created_at, detail, queue, kind, actor, trace, progress,
           coalesce(errors, '[]') || (failure::jsonb || jsonb_build_object(
               'attempt', attempt, 'at', clock_timestamp(), 'process', owner
           )),
           payload, version, cursor
      from ended
     where final_state = 7
    -- An id that was used again and died again: the last death stands.
        on conflict (shard, id) do update
       set (attempt, crashes, epoch, died_at, started_at, process, reason, kind, queue, errors, payload, version, cursor) = (
               excluded.attempt, excluded.crashes, excluded.epoch, excluded.died_at, excluded.started_at,
               excluded.process, excluded.reason, excluded.kind, excluded.queue, excluded.errors,
               excluded.payload, excluded.version, excluded.cursor
           )
),
kept as (
    update queue.job as job
       set state = case when outcome.delay_s > 0 then 0 else 1 end,
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
       and outcome.state < 4
    returning job.id
)
select array(select id from ended union all select id from kept) as "settled!"
