-- Gives locked dead letters another life: $1 shard, $2 ids. See apply.rs.
with revived as (
    insert into queue.job (
        shard, state, attempt, crashes, epoch, priority, max_attempts, id, run_at, created_at, is_sequence, weight,
        queue, kind, unique_key, limit_name, limit_key, tags, actor, trace, parent, errors, payload, version, cursor
    )
    select shard, case when limit_name is null then 1 else 3 end, 0, 0, epoch, priority, max_attempts, id,
           -- A microsecond apart, in the order of their ids.
           statement_timestamp() + make_interval(secs => row_number() over (order by id) * 1e-6),
           created_at, is_sequence, weight,
           queue, kind, unique_key, limit_name, limit_key, tags, actor, trace, parent, errors, payload, version, cursor
      from queue.dead_job
     where shard = $1 and id = any ($2::uuid[])
    -- In the order of enqueueing: an insert waits for another of its key, so two of them could wait for each other.
     order by unique_key nulls first
        on conflict do nothing
    returning id, queue, state
),
unburied as (
    delete from queue.dead_job where shard = $1 and id = any (array(select id from revived))
),
counted as (
    insert into queue.counter_change (shard, queue, ready, waiting)
    select $1, queue, nullif(count(*) filter (where state = 1), 0), nullif(count(*) filter (where state = 3), 0)
      from revived
     group by queue
)
select count(*) as "redriven!" from revived
