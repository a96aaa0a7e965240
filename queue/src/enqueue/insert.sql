-- Inserts jobs, one for each place of the arrays; what is there already stays as it is. See enqueue.rs.
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
      from unnest(
               $1::smallint[], $2::uuid[], $3::text[], $4::text[], $5::smallint[], $6::smallint[],
               $7::float8[], $8::timestamptz[], $9::bytea[], $10::boolean[], $11::text[], $12::text[], $13::text[],
               $14::text[], $15::text[], $16::boolean[], $17::smallint[], $18::text[], $19::uuid[], $20::timestamptz[],
               $21::smallint[], $22::smallint[], $23::bigint[]
           ) as new(
               shard, id, queue, kind, priority, max_attempts,
               delay_s, run_at, unique_key, unique_until_started, actor, trace, payload,
               limit_name, limit_key, is_sequence, weight, tags, parent, expires_at,
               waits_for, version, place
           )
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
select coalesce(array_agg(id), '{}'), coalesce(array_agg(state), '{}') from created
