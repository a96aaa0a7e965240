-- Claims one ready job that its own commit has named: $1 shard, $2 process, $3 queue, $4 id. It takes none of a queue that is paused, or
-- that an operator has limited. See lone.rs.
with claimed as (
    update queue.job as job
       -- As in ready.sql, nothing that an index knows of.
       set epoch = job.epoch + 1,
           attempt = job.attempt + 1,
           owner = $2,
           claimed_at = clock_timestamp(),
           on_trial = false,
           held = case when job.is_sequence then 2 else 0 end,
           unique_key = case when job.unique_until_started then null else job.unique_key end
     where job.ctid = (
               select ready.ctid
                 from queue.job as ready
                -- An equality of the state would leave the planner another way than the primary key: the index of ready jobs.
                where ready.shard = $1 and ready.id = $4 and ready.queue = $3 and ready.state is not distinct from 1
                  and ready.owner is null
                  and not exists (
                          select from queue.queue_control as control
                           where control.shard = $1 and control.queue = $3
                             and (control.paused_at is not null or control.running_max is not null)
                      )
                  and exists (
                          -- The lock keeps others from declaring this process lost while it claims.
                          select 1
                            from queue.process
                           where shard = $1 and id = $2 and lost_at is null and expires_at > clock_timestamp()
                             for key share
                      )
                  for update of ready skip locked
           )
    returning job.id, job.epoch, job.queue, job.kind, job.attempt, job.max_attempts, job.crashes, job.priority, job.run_at,
              job.claimed_at, job.ctid, job.actor, job.trace, job.cancelled_by, job.expires_at, job.version, job.payload
),
counted as (
    insert into queue.counter_change (shard, queue, ready, running)
    select $1, $3, -1, 1 from claimed
)
select id as "id!", epoch as "epoch!", queue as "queue!", kind as "kind!", attempt as "attempt!", max_attempts as "max_attempts!",
       crashes as "crashes!", priority as "priority!", run_at as "run_at!", claimed_at as "claimed_at!",
       ctid::text as "ctid!", actor, trace, cancelled_by,
       coalesce(expires_at <= claimed_at, false) as "is_expired!", version as "version!", payload::text as "payload!",
       null as limit_name, null as limit_key
  from claimed
