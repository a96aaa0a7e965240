-- Renews a lease and hears what is new: $1 shard, $2 process, $3 seconds, $4 jobs whose end was heard of, $5 queues, $6 the claims of $4. See lease.rs.
with renewed as (
    update queue.process
       set heartbeat_at = clock_timestamp(), expires_at = clock_timestamp() + make_interval(secs => $3)
     where shard = $1 and id = $2 and lost_at is null
    returning 1
),
heard as (
    delete from queue.cancel_request as request
     using unnest($4::uuid[], $6::integer[]) as known(job, epoch)
     where request.shard = $1 and request.process = $2 and request.job = known.job and request.epoch = known.epoch
)
select exists (select from renewed) as "is_renewed!",
       array(select job from queue.cancel_request where shard = $1 and process = $2 order by job) as "cancelled!",
       array(select epoch from queue.cancel_request where shard = $1 and process = $2 order by job) as "epochs!",
       array(select actor from queue.cancel_request where shard = $1 and process = $2 order by job) as "actors!",
       array(select kind from queue.kind_pause where shard = $1) as "paused_kinds!",
       array(select queue from queue.queue_control where shard = $1 and paused_at is not null) as "paused_queues!",
       array(
           select asked.queue
             from unnest($5::text[]) as asked(queue)
            cross join lateral (
                      select
                        from queue.job
                       where job.shard = $1 and job.queue = asked.queue and job.state = 3 and job.waits_for = 0
                         and job.owner is null
                       limit 1
                  ) as waiting
       ) as "limited_queues!",
       exists (
           select
             from queue.process
            where shard = $1
              and (lost_at is not null or expires_at < clock_timestamp() or heartbeat_at > clock_timestamp() + interval '1 second')
       ) as "has_expired!",
       exists (select from queue.ended where shard = $1) as "has_ended!",
       clock_timestamp() as "now!"
