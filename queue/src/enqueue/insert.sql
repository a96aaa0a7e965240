-- Inserts jobs, one for each place of the arrays; what is there already stays as it is. $24 is the channel on which the commit
-- names their queues, or null. See enqueue.rs.
with created as (
    insert into queue.job (
        shard, id, queue, kind, state, priority, max_attempts, run_at, created_at,
        unique_key, unique_until_started, actor, trace, payload,
        limit_name, limit_key, is_sequence, weight, tags, parent, expires_at, waits_for, version
    )
    select new.shard, new.id, new.queue, new.kind,
           case when new.waits_for > 0 then 3
                when due.at > statement_timestamp() then 0
                when new.limit_name is not null then 3
                else 1 end,
           new.priority, new.max_attempts,
           -- A microsecond apart, so that jobs enqueued together keep their order.
           due.at + make_interval(secs => new.place * 1e-6), statement_timestamp(),
           new.unique_key, new.unique_until_started, new.actor, new.trace, new.payload::json,
           new.limit_name, new.limit_key, new.is_sequence, new.weight, new.tags::text[], new.parent, new.expires_at,
           new.waits_for, new.version
      from (
               -- Each array for itself: as one function of many arrays, every row would be stored once more in between.
               select unnest($1::smallint[]) as shard, unnest($2::uuid[]) as id, unnest($3::text[]) as queue,
                      unnest($4::text[]) as kind, unnest($5::smallint[]) as priority,
                      unnest($6::smallint[]) as max_attempts, unnest($7::float8[]) as delay_s,
                      unnest($8::timestamptz[]) as run_at, unnest($9::bytea[]) as unique_key,
                      unnest($10::boolean[]) as unique_until_started, unnest($11::text[]) as actor,
                      unnest($12::text[]) as trace, unnest($13::text[]) as payload, unnest($14::text[]) as limit_name,
                      unnest($15::text[]) as limit_key, unnest($16::boolean[]) as is_sequence,
                      unnest($17::smallint[]) as weight, unnest($18::text[]) as tags, unnest($19::uuid[]) as parent,
                      unnest($20::timestamptz[]) as expires_at, unnest($21::smallint[]) as waits_for,
                      unnest($22::smallint[]) as version, unnest($23::bigint[]) as place
           ) as new
     cross join lateral (
               select coalesce(new.run_at, statement_timestamp() + make_interval(secs => new.delay_s)) as at
           ) as due
        on conflict do nothing
    returning shard, id, queue, state
),
counted as (
    insert into queue.counter_change (shard, queue, scheduled, ready, waiting)
    select shard, queue, nullif(count(*) filter (where state = 0), 0), nullif(count(*) filter (where state = 1), 0),
           nullif(count(*) filter (where state = 3), 0)
      from created
     group by shard, queue
)
select coalesce(array_agg(id), '{}'), coalesce(array_agg(state), '{}'),
       (select count(pg_notify($24::text, told.queue)) from (select distinct queue from created) as told where $24 is not null)
  from created
