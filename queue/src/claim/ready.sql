-- Claims ready jobs: $1 shard, $2 process, beside each other $3 queues, $4 how many of each, and beside each other $5 to $8 where to
-- look: $5 which of the queues, after $6 priority and $7 time, up to $8 priority and $9 time. See claim.rs.
with lease as (
    -- The lock keeps others from declaring this process lost while it claims, and lets its heartbeat pass.
    select 1
      from queue.process
     where shard = $1 and id = $2 and lost_at is null and expires_at > clock_timestamp()
       for key share
),
limited as materialized (
    -- Only queues that an operator has limited; their rows are locked, so that two claims never share the same room.
    select queue, greatest(running_max - running, 0) as room
      from queue.queue_control
     where shard = $1 and queue = any ($3::text[]) and running_max is not null
       for no key update
),
asked as materialized (
    select given.place, given.queue, least(given.wanted, (select room from limited where limited.queue = given.queue)) as wanted
      from unnest($3::text[], $4::integer[]) with ordinality as given(queue, wanted, place)
     where exists (select from lease)
       and not exists (
               select from queue.queue_control as control
                where control.shard = $1 and control.queue = given.queue and control.paused_at is not null
           )
),
claimed as (
    update queue.job as job
       -- Nothing that an index knows of: the new version stays on its page, and no index is written.
       set epoch = job.epoch + 1,
           attempt = job.attempt + 1,
           owner = $2,
           claimed_at = clock_timestamp(),
           on_trial = false,
           -- A job of a sequence comes back with the place that it holds.
           held = case when job.is_sequence then 2 else 0 end
                + case when job.queue = any (array(select queue from limited)) then 1 else 0 end,
           unique_key = case when job.unique_until_started then null else job.unique_key end
     -- By place, since the rows are locked: one plan only, and no second look-up in an index.
     where job.ctid = any (array(
               select picked.place
                 from asked
                cross join lateral (
                          select found.place
                            from unnest($5::integer[], $6::smallint[], $7::timestamptz[], $8::smallint[], $9::timestamptz[])
                                 as range(place, after_priority, after_time, last_priority, last_time)
                           cross join lateral (
                                     select ready.ctid as place
                                       from queue.job as ready
                                      where ready.shard = $1 and ready.queue = asked.queue and ready.state = 1
                                        and ready.owner is null
                                        and (ready.priority, ready.run_at) > (range.after_priority, range.after_time)
                                        and (ready.priority, ready.run_at) <= (range.last_priority, range.last_time)
                                      order by ready.priority, ready.run_at
                                      limit asked.wanted
                                        for update skip locked
                                 ) as found
                           where range.place = asked.place
                           limit asked.wanted
                      ) as picked
                where asked.wanted > 0
           ))
    returning job.id, job.epoch, job.queue, job.kind, job.attempt, job.max_attempts, job.crashes, job.priority, job.run_at,
              job.claimed_at, job.ctid, job.actor, job.trace, job.cancelled_by, job.expires_at, job.version, job.payload
),
by_queue as materialized (
    select queue, count(*)::integer as jobs from claimed group by queue
),
counted as (
    insert into queue.counter_change (shard, queue, ready, running)
    select $1, queue, -jobs, jobs from by_queue
),
held as (
    update queue.queue_control as control
       set running = control.running + by_queue.jobs
      from by_queue
     where control.shard = $1 and control.queue = by_queue.queue and by_queue.queue = any (array(select queue from limited))
)
select id as "id!", epoch as "epoch!", queue as "queue!", kind as "kind!", attempt as "attempt!", max_attempts as "max_attempts!",
       crashes as "crashes!", priority as "priority!", run_at as "run_at!", claimed_at as "claimed_at!",
       ctid::text as "ctid!", actor, trace, cancelled_by,
       coalesce(expires_at <= claimed_at, false) as "is_expired!", version as "version!", payload::text as "payload!",
       null as limit_name, null as limit_key
  from claimed
