-- Inserts jobs, one for each place of the arrays; what is there already stays as it is. See enqueue.rs.
with created as (
    insert into queue.job (
        shard, id, queue, kind, state, priority, max_attempts, run_at, created_at,
        unique_key, unique_until_started, actor, trace, payload, version
    )
    select new.shard, new.id, new.queue, new.kind,
           case when due.at > statement_timestamp() then 0 else 1 end,
           new.priority, new.max_attempts, due.at, statement_timestamp(),
           new.unique_key, new.unique_until_started, new.actor, new.trace, new.payload::json, new.version
      from unnest(
               $1::smallint[], $2::uuid[], $3::text[], $4::text[], $5::smallint[], $6::smallint[],
               $7::float8[], $8::timestamptz[], $9::bytea[], $10::boolean[], $11::text[], $12::text[], $13::text[],
               $14::smallint[]
           ) as new(
               shard, id, queue, kind, priority, max_attempts,
               delay_s, run_at, unique_key, unique_until_started, actor, trace, payload, version
           )
     cross join lateral (
               select coalesce(new.run_at, statement_timestamp() + make_interval(secs => new.delay_s)) as at
           ) as due
        on conflict do nothing
    returning id
)
select coalesce(array_agg(id), '{}') as "ids!" from created
