-- Claims ready jobs: $1 shard, $2 process, $3 queues, $4 how many of each. See claim.rs.
with lease as (
    -- The lock keeps others from declaring this process lost while it claims, and lets its heartbeat pass.
    select 1
      from queue.process
     where shard = $1 and id = $2 and lost_at is null and expires_at > clock_timestamp()
       for key share
)
update queue.job as job
   set state = 2,
       epoch = job.epoch + 1,
       attempt = job.attempt + 1,
       owner = $2,
       claimed_at = clock_timestamp(),
       on_trial = false,
       unique_key = case when job.unique_until_started then null else job.unique_key end
 -- By place, since the rows are locked: one plan only, and no second look-up in an index.
 where job.ctid = any (array(
           select picked.place
             from unnest($3::text[], $4::integer[]) as asked(queue, wanted)
            cross join lateral (
                      select ready.ctid as place
                        from queue.job as ready
                       where ready.shard = $1 and ready.queue = asked.queue and ready.state = 1
                       order by ready.priority, ready.run_at, ready.id
                       limit asked.wanted
                         for update skip locked
                  ) as picked
            where exists (select from lease)
       ))
returning job.id, job.epoch, job.queue, job.kind, job.attempt, job.max_attempts, job.crashes, job.priority,
          job.run_at, job.claimed_at as "claimed_at!",
          job.actor, job.trace, job.version, job.payload::text as "payload!"
