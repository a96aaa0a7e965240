-- Everything that holds up a live job: $1 shard, $2 id, $3 the most jobs to name, $4 the most jobs to count. See explain.rs.
select case when job.owner is null then job.state else 2::smallint end as "state!", job.queue as "queue!", job.kind as "kind!", job.attempt as "attempt!", job.waits_for as "waits_for!",
       job.is_sequence as "is_sequence!", job.is_sequence and job.held >= 2 as "holds_place!", job.limit_name, job.limit_key,
       job.claimed_at, job.owner, job.cancelled_by, job.progress,
       extract(epoch from job.run_at - clock_timestamp())::float8 as "due_in_s!",
       control.paused_at as "queue_paused_at?", control.paused_by as "queue_paused_by?",
       control.running as "queue_running?", control.running_max as "queue_running_max?",
       pause.paused_at as "kind_paused_at?", pause.paused_by as "kind_paused_by?",
       rule.name as "rule_name?", rule.running_max as "rule_running_max?", rule.burst as "burst?", rule.rate_per_s as "rate_per_s?",
       coalesce(taken.running - given_back.jobs, 0) as "key_running!",
       least(
           rule.burst,
           coalesce(taken.tokens, rule.burst)
               + coalesce(rule.rate_per_s * greatest(extract(epoch from clock_timestamp() - taken.refilled_at)::float8, 0), 0)
       ) as "tokens?",
       least(job.weight, rule.burst) as "cost?",
       holder.id as "holder?",
       waited.named as "waits_on!", waited.number as "waits_on_number!",
       process.host as "host?", process.pid as "pid?",
       exists (
           select
             from queue.process as live
            where live.shard = $1
              and live.lost_at is null
              and live.expires_at > clock_timestamp()
              and job.queue = any (live.queues)
              -- A process of an earlier release does not say what it knows.
              and (live.kinds = '{}' or job.kind = any (live.kinds))
       ) as "has_worker!",
       ahead.number as "ahead!"
  from queue.job as job
  left join queue.queue_control as control on control.shard = $1 and control.queue = job.queue
  left join queue.kind_pause as pause on pause.shard = $1 and pause.kind = job.kind
  left join queue.limit_rule as rule on rule.name = job.limit_name
  left join queue.limit_key as taken on taken.shard = $1 and taken.name = job.limit_name and taken.key = job.limit_key
  left join lateral (
            select coalesce(sum(jobs), 0)::integer as jobs
              from queue.limit_free
             where shard = $1 and name = job.limit_name and key = job.limit_key
       ) as given_back on true
  left join queue.process as process on process.shard = $1 and process.id = job.owner
  left join lateral (
            select one.id
              from (
                   select id, held
                     from queue.job
                    where shard = $1 and limit_name = job.limit_name and limit_key = job.limit_key and is_sequence
                    limit $4::bigint
                   ) as one
             where one.id <> job.id and one.held >= 2
             limit 1
       ) as holder on job.is_sequence
 cross join lateral (
            select coalesce(array_agg(some_of.on_job order by some_of.on_job) filter (where some_of.place <= $3::bigint), '{}')
                       as named,
                   count(*) as number
              from (
                   select dependency.on_job, row_number() over () as place
                     from queue.dependency
                    -- The policy, so that the index by job is no worse than reading all of the primary key.
                    where dependency.shard = $1 and dependency.job = job.id and dependency.policy >= 0
                    limit $4::bigint
                   ) as some_of
       ) as waited
 cross join lateral (
            select count(*) as number
              from (
                   (
                       select
                         from queue.job as one
                        where job.state = 1 and one.owner is null
                          and one.shard = $1 and one.queue = job.queue and one.state = 1
                          and (one.priority, one.run_at) < (job.priority, job.run_at)
                        limit $4::bigint
                   )
                    union all
                   (
                       select
                         from queue.job as one
                        where job.state = 3 and job.waits_for = 0 and one.owner is null
                          and one.shard = $1 and one.queue = job.queue and one.state = 3 and one.waits_for = 0
                          and one.limit_name = job.limit_name and one.limit_key = job.limit_key
                          and (one.priority, one.run_at) < (job.priority, job.run_at)
                        limit $4::bigint
                   )
                   ) as before
       ) as ahead
 where job.shard = $1 and job.id = $2
