insert into app.transaction (
    shard, book_id, id, kind, from_account, to_account, amount, currency, product_id, quantity, reverses, reference,
    description, effective_at, metadata_salt, created_by, act, expires_at, resolves, leg_count
)
select $1, $2, input.id, input.kind, input.from_account, input.to_account, input.amount, input.currency, input.product_id,
    input.quantity, input.reverses, input.reference, input.description, coalesce(input.effective_at, now()), input.salt,
    input.created_by, input.act, input.expires_at, input.resolves, input.leg_count
from unnest(
    $3::uuid[], $4::text[], $5::uuid[], $6::uuid[], $7::bigint[], $8::text[], $9::uuid[], $10::integer[], $11::uuid[],
    $12::text[], $13::text[], $14::timestamptz[], $15::bytea[], $16::uuid[],
    -- These are empty where no request of the group has any: `unnest` makes nulls of them.
    $17::text[], $18::timestamptz[], $19::uuid[], $20::smallint[]
) as input (
    id, kind, from_account, to_account, amount, currency, product_id, quantity, reverses,
    reference, description, effective_at, salt, created_by, act, expires_at, resolves, leg_count
)
-- One order for everybody, so that two callers with the same references never wait for each other.
order by input.created_by, input.reference
on conflict (shard, created_by, reference) where reference is not null do nothing
returning id, created_at, effective_at
