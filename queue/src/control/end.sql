-- Ends locked jobs: $1 shard, $2 ids, $3 who, $4 whether they are filed as cancelled, or taken away without a trace. See apply.rs.
with asked as (
    update queue.job
       set cancelled_by = coalesce(cancelled_by, $3)
     where shard = $1 and id = any ($2::uuid[]) and owner is not null
    returning id, owner, epoch
),
requested as (
    insert into queue.cancel_request (shard, process, job, epoch, actor)
    select $1, owner, id, epoch, $3 from asked
        on conflict (shard, process, job) do update set epoch = excluded.epoch, actor = excluded.actor
),
ended as (
    delete from queue.job
     where shard = $1 and id = any ($2::uuid[]) and owner is null
    returning *
),
filed as (
    insert into queue.job_history (
        shard, state, attempt, crashes, epoch, priority, max_attempts, finished_at, started_at, process, id,
        run_at, created_at, queue, kind, actor, trace, progress, errors, result, payload, version,
        tags, parent, limit_name, limit_key
    )
    select shard, 6, attempt, crashes, epoch, priority, max_attempts, clock_timestamp(), claimed_at, null, id,
           run_at, created_at, queue, kind, actor, trace, progress,
           coalesce(errors, '[]') || jsonb_build_object(
               'error', 'cancelled by ' || $3, 'chain', '[]'::jsonb, 'attempt', attempt, 'at', clock_timestamp(), 'process', null
           ),
           null, payload, version, tags, parent, limit_name, limit_key
      from ended
     where $4
),
told as (
    insert into queue.ended (shard, id, state)
    select shard, id, 6 from ended where has_dependants
        on conflict (shard, id) do update set state = excluded.state
),
untied as (
    -- What they waited for. What somebody else has locked is being looked at, and found to be without its job.
    delete from queue.dependency
     where ctid = any (array(
               select one.ctid
                 from queue.dependency as one
                where one.shard = $1 and one.job = any (array(select id from ended where waits_for > 0))
                  for update skip locked
           ))
),
counted as (
    insert into queue.counter_change (shard, queue, scheduled, ready, waiting, cancelled)
    select $1, queue, -nullif(count(*) filter (where state = 0), 0), -nullif(count(*) filter (where state = 1), 0),
           -nullif(count(*) filter (where state = 3), 0), case when $4 then count(*) end
      from ended
     group by queue
),
freed_keys as (
    -- A job of a sequence holds its place while it waits for its next attempt; no other holds one while it does not run.
    insert into queue.limit_free (shard, name, key, jobs)
    select $1, limit_name, limit_key, count(*) from ended where is_sequence and held >= 2 group by limit_name, limit_key
)
select (select count(*) from asked) as "asked!", (select count(*) from ended) as "ended!"
