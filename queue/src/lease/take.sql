-- Takes jobs from a process: $1 shard, $2 ids, $3 process, $4 whether it crashed, $5 crashes that make poison, $6 channel. See rescue.rs.
with given as materialized (
    select $1::smallint as shard, id from unnest($2::uuid[]) as given(id)
),
lost as (
    select job.*
      from given
     cross join lateral (
               select one.shard, one.id, one.held, one.queue, one.limit_name, one.limit_key, one.is_sequence,
                      -- Whether it was begun is only known of a suspect; the first crash makes it one.
                      one.crashes + case when $4 and (one.crashes = 0 or one.on_trial) then 1 else 0 end
                          as crashes,
                      case when $4 and (one.crashes = 0 or one.on_trial) then
                          coalesce(one.errors, '[]') || jsonb_build_object(
                              'error', 'the worker process died with the job in hand', 'chain', '[]'::jsonb,
                              'attempt', one.attempt, 'at', clock_timestamp(), 'process', one.owner
                          )
                      else one.errors end as errors
                 from queue.job as one
                where one.shard = given.shard and one.id = given.id and one.owner = $3
                  for update skip locked
           ) as job
),
buried as (
    delete from queue.job as job
     using lost
     where job.shard = any (array[lost.shard])
       and job.id >= lost.id
       and job.id <= lost.id
       and lost.crashes >= $5
    returning job.*, lost.crashes as crashes_now, lost.errors as errors_now
),
filed as (
    insert into queue.dead_job (
        shard, attempt, crashes, epoch, priority, max_attempts, died_at, started_at, process, id,
        run_at, created_at, reason, queue, kind, actor, trace, progress, errors, payload,
        tags, parent, limit_name, limit_key, is_sequence, weight, version, cursor, unique_key
    )
    select shard, attempt, crashes_now, epoch, priority, max_attempts, clock_timestamp(), claimed_at, owner, id,
           run_at, created_at, 'poison', queue, kind, actor, trace, progress, errors_now, payload,
           tags, parent, limit_name, limit_key, is_sequence, weight, version, cursor, unique_key
      from buried
        on conflict (shard, id) do update
       set (attempt, crashes, epoch, died_at, started_at, process, reason, kind, queue, errors, payload, version, cursor, unique_key) = (
               excluded.attempt, excluded.crashes, excluded.epoch, excluded.died_at, excluded.started_at,
               excluded.process, excluded.reason, excluded.kind, excluded.queue, excluded.errors,
               excluded.payload, excluded.version, excluded.cursor, excluded.unique_key
           )
),
told as (
    insert into queue.ended (shard, id, state)
    select shard, id, 7 from buried where has_dependants
        on conflict (shard, id) do update set state = excluded.state
),
readied as (
    update queue.job as job
       -- A job of a sequence keeps its place; another under a limit waits for one again.
       set state = case when job.limit_name is null or job.is_sequence then 1 else 3 end,
           epoch = job.epoch + 1,
           attempt = job.attempt - 1,
           crashes = lost.crashes,
           errors = lost.errors,
           owner = null,
           claimed_at = null,
           on_trial = false
      from lost
     where job.shard = any (array[lost.shard])
       and job.id >= lost.id
       and job.id <= lost.id
       and lost.crashes < $5
    returning job.queue, job.state, job.held, job.is_sequence, job.limit_name, job.limit_key
),
left_off as materialized (
    select queue, 7 as state, held, limit_name, limit_key, held & 2 > 0 as frees_key from buried
     union all
    select queue, state, held, limit_name, limit_key, held & 2 > 0 and not is_sequence from readied
),
counted as (
    insert into queue.counter_change (shard, queue, ready, running, waiting, dead)
    select $1, queue, nullif(count(*) filter (where state = 1), 0), -count(*),
           nullif(count(*) filter (where state = 3), 0), nullif(count(*) filter (where state = 7), 0)
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
),
woken as (
    -- Within the transaction, unlike everywhere else: this is rare.
    select pg_notify($6, queue) from (select distinct queue from readied) as queues
)
select (select count(*) from readied) as "ready!",
       (select count(*) from buried) as "poison!",
       (select count(*) from woken) as "woken!"
