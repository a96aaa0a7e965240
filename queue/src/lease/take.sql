-- Takes jobs from a process: $1 shard, $2 ids, $3 process, $4 whether it crashed, $5 crashes that make poison, $6 channel. See rescue.rs.
with given as materialized (
    select $1::smallint as shard, id from unnest($2::uuid[]) as given(id)
),
held as (
    select job.*
      from given
     cross join lateral (
               select one.shard, one.id,
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
     using held
     where job.shard = any (array[held.shard])
       and job.id >= held.id
       and job.id <= held.id
       and held.crashes >= $5
    returning job.*, held.crashes as crashes_now, held.errors as errors_now
),
filed as (
    insert into queue.dead_job (
        shard, attempt, crashes, epoch, priority, max_attempts, died_at, started_at, process, id,
        run_at, created_at, reason, queue, kind, actor, trace, progress, errors, payload, version, cursor
    )
    select shard, attempt, crashes_now, epoch, priority, max_attempts, clock_timestamp(), claimed_at, owner, id,
           run_at, created_at, 'poison', queue, kind, actor, trace, progress, errors_now, payload,
           version, cursor
      from buried
        on conflict (shard, id) do update
       set (attempt, crashes, epoch, died_at, started_at, process, reason, kind, queue, errors, payload, version, cursor) = (
               excluded.attempt, excluded.crashes, excluded.epoch, excluded.died_at, excluded.started_at,
               excluded.process, excluded.reason, excluded.kind, excluded.queue, excluded.errors,
               excluded.payload, excluded.version, excluded.cursor
           )
),
readied as (
    update queue.job as job
       set state = 1,
           epoch = job.epoch + 1,
           attempt = job.attempt - 1,
           crashes = held.crashes,
           errors = held.errors,
           owner = null,
           claimed_at = null,
           on_trial = false
      from held
     where job.shard = any (array[held.shard])
       and job.id >= held.id
       and job.id <= held.id
       and held.crashes < $5
    returning job.queue
),
woken as (
    -- Within the transaction, unlike everywhere else: this is rare.
    select pg_notify($6, queue) from (select distinct queue from readied) as queues
)
select (select count(*) from readied) as "ready!",
       (select count(*) from buried) as "poison!",
       (select count(*) from woken) as "woken!"
