-- Claims jobs that wait for a place of their limit: $1 shard, $2 process, beside each other $3 queues, $4 limits, $5 keys, $6 how
-- many of each, and after $7 priority and $8 time. See limited.rs.
with lease as (
    select 1
      from queue.process
     where shard = $1 and id = $2 and lost_at is null and expires_at > clock_timestamp()
       for key share
),
limited as materialized (
    select queue, greatest(running_max - running, 0) as room
      from queue.queue_control
     where shard = $1 and queue = any ($3::text[]) and running_max is not null
       for no key update
),
asked as materialized (
    -- By its place a key, and a queue by that of its first key, are compared more cheaply than by their texts.
    select given.*, array_position($3, given.queue) as lane
      from unnest($3::text[], $4::text[], $5::text[], $6::integer[], $7::smallint[], $8::timestamptz[])
           with ordinality as given(queue, name, key, share, after_priority, after_time, place)
     where exists (select from lease)
       and not exists (
               select from queue.queue_control as control
                where control.shard = $1 and control.queue = given.queue and control.paused_at is not null
           )
),
locked as materialized (
    -- Who holds a key's row decides about its room; a key that somebody else is at is left to them.
    select asked.place, asked.lane, asked.queue, asked.share, asked.after_priority, asked.after_time, state.*, rule.running_max, rule.rate_per_s, rule.burst,
           least(
               rule.burst,
               coalesce(state.tokens, rule.burst)
                   + rule.rate_per_s * greatest(extract(epoch from clock_timestamp() - state.refilled_at)::float8, 0)
           ) as tokens_now,
           -- The clock has been put back since; the bucket fills up from now on, instead of from then on.
           rule.rate_per_s is not null and state.refilled_at > clock_timestamp() as is_ahead
      from asked
     cross join lateral (
               select one.name, one.key, one.running, one.tokens, one.refilled_at
                 from queue.limit_key as one
                where one.shard = $1 and one.name = asked.name and one.key = asked.key
                  for no key update skip locked
           ) as state
     cross join lateral (select * from queue.limit_rule as rule where rule.name = asked.name) as rule
),
folded as (
    -- What was given back is taken off once: only by who holds the key's row, and only what the deletion itself finds.
    delete from queue.limit_free as free
     using (
           select locked.place, given_back.row
             from locked
            cross join lateral (
                      select one.ctid as row
                        from queue.limit_free as one
                       where one.shard = $1 and one.name = locked.name and one.key = locked.key
                      offset 0
                  ) as given_back
           ) as found
     where free.ctid = found.row
    returning found.place, free.jobs
),
freed as materialized (
    -- For each place, so that it is looked up by its number: a join would compare each key with each.
    select array_agg(jobs order by place) as by_place
      from (
           select place, sum(jobs)::integer as jobs
             from (select place, jobs from folded union all select generate_subscripts($3, 1), 0) as of_key
            group by place
           ) as given_back
),
open as materialized (
    select counted.*,
           -- None for a limit of the rate alone; greatest() would take its null for nothing.
           case when running_max is not null then greatest(running_max - running + freed, 0) end as room
      from (select locked.*, (select by_place[locked.place] from freed) as freed from locked offset 0) as counted
),
first as materialized (
    select open.place, open.lane, open.queue, open.rate_per_s, open.tokens_now, job.row, job.priority, job.run_at,
           least(job.weight, open.burst) as cost
      from open
     cross join lateral (
               select one.ctid as row, one.weight, one.priority, one.run_at
                 from queue.job as one
                where one.shard = $1 and one.queue = open.queue and one.state = 3 and one.waits_for = 0
                  and one.owner is null
                  and one.limit_name = open.name and one.limit_key = open.key
                  and (one.priority, one.run_at) > (open.after_priority, open.after_time)
                order by one.priority, one.run_at
                limit least(open.share, open.room)
                  for update skip locked
           ) as job
),
is_bounded as materialized (
    -- Only a rate, or a limit of the whole queue, leaves some of them out.
    select exists (select from limited) or exists (select from open where rate_per_s is not null) as yes
),
picked as (
    select row
      from first
     where not (select yes from is_bounded)
     union all
    select row
      from (
           select first.*,
                  sum(cost) over (partition by place order by priority, run_at, row) as spent,
                  row_number() over (partition by lane order by priority, run_at, row) as number
             from first
            where (select yes from is_bounded)
           ) as counted
     where (rate_per_s is null or spent <= tokens_now)
       and number <= coalesce((select room from limited where limited.queue = counted.queue), 2147483647)
),
claimed as (
    update queue.job as job
       set epoch = job.epoch + 1,
           attempt = job.attempt + 1,
           owner = $2,
           claimed_at = clock_timestamp(),
           on_trial = false,
           held = 2 + case when job.queue = any (array(select queue from limited)) then 1 else 0 end,
           unique_key = case when job.unique_until_started then null else job.unique_key end
     -- By place and all at once, as in ready.sql.
     where job.ctid = any (array(select row from picked))
    returning job.id, job.epoch, job.queue, job.kind, job.attempt, job.max_attempts, job.crashes, job.priority, job.run_at,
              job.claimed_at, job.ctid, job.actor, job.trace, job.cancelled_by, job.expires_at, job.version, job.payload,
              job.limit_name, job.limit_key, job.weight
),
begun as (
    -- What was claimed, which may be less than what was picked: a job may have been changed since this began.
    select limit_name as name, limit_key as key, sum(jobs)::integer as jobs,
           sum(jobs * (select least(alike.weight, rule.burst) from queue.limit_rule as rule where rule.name = alike.limit_name)) as spent
      from (select limit_name, limit_key, weight, count(*) as jobs from claimed group by limit_name, limit_key, weight) as alike
     group by limit_name, limit_key
),
taken as (
    update queue.limit_key as state
       set running = state.running + coalesce(used.jobs, 0) - used.freed,
           tokens = case when used.is_refilled then used.tokens else state.tokens end,
           refilled_at = case when used.is_refilled then clock_timestamp() else state.refilled_at end
      from (
           -- Beside each other and not joined, which would compare each key with each.
           select $1::smallint as shard, name, key, max(jobs) as jobs, max(freed) as freed,
                  max(tokens_now) - coalesce(max(spent), 0) as tokens, max(jobs) > 0 or bool_or(is_ahead) as is_refilled
             from (
                  select name, key, null::integer as jobs, null::float8 as spent, freed, tokens_now, is_ahead from open
                  union all
                  select name, key, jobs, spent, null, null, false from begun
                  ) as of_key
            group by name, key
           having max(jobs) > 0 or max(freed) > 0 or bool_or(is_ahead)
           offset 0
           ) as used
     -- By its key and not by its place: a row that was changed since this began is not found at its new place.
     where state.shard = any (array[used.shard]) and state.name = used.name and state.key = used.key
),
by_queue as materialized (
    select queue, count(*)::integer as jobs from claimed group by queue
),
counted as (
    insert into queue.counter_change (shard, queue, waiting, running)
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
       limit_name, limit_key
  from claimed
