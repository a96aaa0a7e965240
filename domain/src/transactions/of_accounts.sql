-- The newest ids of each account are read from the two indexes in their order, so that a long history costs no more.
with newest as (
    select found.id
    from unnest($2::uuid[]) as account (id)
    cross join lateral (
        (
            select id
            from app.transaction
            where shard = $1 and from_account = account.id and ($3::uuid is null or id < $3) and ($4::text is null or status = $4)
            order by id desc
            limit $5
        )
        union all
        (
            select id
            from app.transaction
            where shard = $1 and to_account = account.id and ($3::uuid is null or id < $3) and ($4::text is null or status = $4)
            order by id desc
            limit $5
        )
    ) as found
    group by found.id
    order by found.id desc
    limit $5
)
select id, kind, from_account, to_account, amount, currency, product_id, quantity, reverses, reference, description,
    effective_at, created_by, created_at, status, reason, seq, recorded_at
from app.transaction
where shard = $1 and id in (select newest.id from newest)
order by id desc
