-- $1 shard, $2 book, $3 run, then one array for each column of the findings.
with found as (
    select *
    from unnest(
        $4::uuid[], $5::bytea[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::bigint[], $12::text[],
        $13::text[]
    ) as f (id, key, class, sub_class, severity, subject_kind, subject, amount, currency, detail)
),
-- As it was before this statement.
before as (
    select b.key, b.state, b.amount
    from reconciliation.break as b
    where b.shard = $1 and b.book = $2 and b.key = any($5)
),
kept as (
    insert into reconciliation.break as b (
        shard, id, book, key, class, sub_class, severity, severity_least, subject_kind, subject, amount, currency, detail,
        first_run, last_run
    )
    select $1, id, $2, key, class, sub_class, severity, severity, subject_kind, subject, amount, currency, detail, $3, $3
    from found
    on conflict (shard, book, key) do update
    set amount = excluded.amount,
        currency = excluded.currency,
        detail = excluded.detail,
        seen = b.seen + case when b.last_run = excluded.last_run then 0 else 1 end,
        last_run = excluded.last_run,
        last_seen_at = now(),
        -- What was resolved and is there still was not; what was written off stays so while it is as large as it was.
        state = case
            when b.state = 'resolved' or (b.state = 'written_off' and b.amount is distinct from excluded.amount)
                then 'open'
            else b.state
        end,
        resolution = case
            when b.state = 'resolved' or (b.state = 'written_off' and b.amount is distinct from excluded.amount)
                then null
            else b.resolution
        end,
        changed_at = case
            when b.state = 'resolved' or (b.state = 'written_off' and b.amount is distinct from excluded.amount)
                then now()
            else b.changed_at
        end
    returning b.id, b.key, b.class, b.sub_class, b.subject, b.state
)
select kept.id as "id!", kept.class as "class!", kept.sub_class as "sub_class!", kept.subject as "subject!",
       before.state as "state_before?",
       (before.state is null or (kept.state = 'open' and before.state in ('resolved', 'written_off'))) as "is_new!"
from kept
left join before on before.key = kept.key
