-- Takes unique keys for a period: $1 shard, then beside each other $2 key, $3 job, $4 seconds. Answers every key with whose it is.
with taken as (
    insert into queue.unique_hold as held (shard, unique_key, job, until)
    select $1, asked.unique_key, asked.job, statement_timestamp() + make_interval(secs => asked.period_s)
      from unnest($2::bytea[], $3::uuid[], $4::float8[]) as asked(unique_key, job, period_s)
    -- In one order everywhere: an insert waits for another of its key, so two calls could wait for each other.
     order by asked.unique_key
        on conflict (shard, unique_key) do update
       set job = excluded.job, until = excluded.until
     where held.until <= statement_timestamp()
    returning unique_key, job
)
select asked.place as "place!", coalesce(taken.job, held.job) as job
  from unnest($2::bytea[]) with ordinality as asked(unique_key, place)
  left join taken on taken.unique_key = asked.unique_key
  left join lateral (
            select job
              from queue.unique_hold
             where shard = $1 and unique_key = asked.unique_key and taken.job is null
       ) as held on true
