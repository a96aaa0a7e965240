-- Inserts fresh jobs that are ready at once and have nothing unusual about them: beside each other $1 shard, $2 id, $3 queue, $4 kind,
-- $5 priority, $6 attempts, $7 actor, $8 trace, $9 payload, $10 version, $11 place; and what they come to, beside each other $12 shard,
-- $13 queue, $14 how many. $15 is the channel on which the commit says $16, which is nothing for a commit that wakes nobody. See plain.rs.
with created as (
    insert into queue.job (
        shard, id, queue, kind, state, priority, max_attempts, run_at, created_at, actor, trace, payload, version
    )
    select new.shard, new.id, new.queue, new.kind, 1, new.priority, new.max_attempts,
           -- A microsecond apart, so that jobs enqueued together keep their order.
           statement_timestamp() + make_interval(secs => new.place * 1e-6), statement_timestamp(),
           new.actor, new.trace, new.payload::json, new.version
      from (
               -- Each array for itself: as one function of many arrays, every row would be stored once more in between.
               select unnest($1::smallint[]) as shard, unnest($2::uuid[]) as id, unnest($3::text[]) as queue,
                      unnest($4::text[]) as kind, unnest($5::smallint[]) as priority,
                      unnest($6::smallint[]) as max_attempts, unnest($7::text[]) as actor, unnest($8::text[]) as trace,
                      unnest($9::text[]) as payload, unnest($10::smallint[]) as version, unnest($11::bigint[]) as place
           ) as new
),
counted as (
    insert into queue.counter_change (shard, queue, ready)
    select unnest($12::smallint[]), unnest($13::text[]), unnest($14::integer[])
)
select count(pg_notify($15, said.word)) as "told!" from unnest($16::text[]) as said(word)
