-- Keys of limits that have jobs waiting for a place: $1 shard, beside each other $2 queues and, where to go on, $3 limits and $4 keys;
-- $5 how many keys of each queue. See limited.rs.
with recursive found as (
    -- From key to key by the index, so that many jobs of one key cost no more than one.
    select asked.queue, next.limit_name, next.limit_key, 1 as number
      from unnest($2::text[], $3::text[], $4::text[]) as asked(queue, after_name, after_key)
     cross join lateral (
               select job.limit_name, job.limit_key
                 from queue.job as job
                where job.shard = $1 and job.queue = asked.queue and job.state = 3 and job.waits_for = 0
                  and (job.limit_name, job.limit_key) > (asked.after_name, asked.after_key)
                order by job.limit_name, job.limit_key
                limit 1
           ) as next
     union all
    select found.queue, next.limit_name, next.limit_key, found.number + 1
      from found
     cross join lateral (
               select job.limit_name, job.limit_key
                 from queue.job as job
                where job.shard = $1 and job.queue = found.queue and job.state = 3 and job.waits_for = 0
                  and (job.limit_name, job.limit_key) > (found.limit_name, found.limit_key)
                order by job.limit_name, job.limit_key
                limit 1
           ) as next
     where found.number < $5
),
made as (
    -- A key that is used for the first time, or again after a while, begins with a full bucket.
    insert into queue.limit_key (shard, name, key, refilled_at)
    select distinct $1::smallint, found.limit_name, found.limit_key, clock_timestamp()
      from found
     where (
               select count(*)
                 from queue.limit_key as state
                where state.shard = $1 and state.name = found.limit_name and state.key = found.limit_key
           ) = 0
        on conflict do nothing
)
select found.number as "number!", found.queue as "queue!", found.limit_name as "name!", found.limit_key as "key!",
       -- Of a limit that nobody has declared, no job may run.
       case when rule.name is null then 0
            -- A limit of the rate alone; greatest() would take its null for nothing.
            when rule.running_max is null then 2147483647
            else greatest(rule.running_max - coalesce(state.running - given_back.jobs, 0), 0) end as "room!",
       -- A bucket that was filled after now, before the clock was put back, is for the claim to set right.
       case when rule.rate_per_s is not null and state.tokens is not null and state.refilled_at <= clock_timestamp()
            then greatest(
                     -- The first job needs as many as it weighs: looking earlier would find too few, and not look again.
                     (least(head.weight, rule.burst) - state.tokens) / rule.rate_per_s
                         - extract(epoch from clock_timestamp() - state.refilled_at)::float8,
                     0
                 ) end as token_in_s
  from found
  left join queue.limit_rule as rule on rule.name = found.limit_name
  left join lateral (
            select one.running, one.tokens, one.refilled_at
              from queue.limit_key as one
             where one.shard = $1 and one.name = found.limit_name and one.key = found.limit_key
            offset 0
       ) as state on true
  left join lateral (
            select coalesce(sum(free.jobs), 0)::integer as jobs
              from queue.limit_free as free
             where free.shard = $1 and free.name = found.limit_name and free.key = found.limit_key
       ) as given_back on true
  left join lateral (
            select one.weight
              from queue.job as one
             where one.shard = $1 and one.queue = found.queue and one.state = 3 and one.waits_for = 0
               and one.limit_name = found.limit_name and one.limit_key = found.limit_key
               and rule.rate_per_s is not null
             order by one.priority, one.run_at
             limit 1
       ) as head on true
