-- A whole batch: $3 to $8 its transactions, $9 to $13 their entries, $14 to $18 the balances after them, $19 and $20 its
-- refusals, $21 to $24 the tiles that became full, $25 to $29 the new head and the size it follows.
with new_transaction as (
    insert into ledger.transaction (shard, book, seq, id, recorded_at, reverses, leaf_hash, leaf)
    select $1, $2, *
    from unnest($3::bigint[], $4::uuid[], $5::timestamptz[], $6::uuid[], $7::bytea[], $8::bytea[])
    returning 1
), new_entry as (
    insert into ledger.entry (shard, book, account_id, version, seq, amount, balance)
    select $1, $2, *
    from unnest($9::uuid[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[])
    returning 1
), new_balance as (
    -- An update in the clothes of an insert, because its only plan is one look-up in the primary key for each
    -- account. None is inserted: the row is there, was read under the lock, and cannot be deleted.
    insert into ledger.account as a (shard, book, id, currency, overdraft, balance, version)
    select $1, $2, *
    from unnest($14::uuid[], $15::text[], $16::boolean[], $17::bigint[], $18::bigint[])
    on conflict (shard, book, id) do update
    set balance = excluded.balance, version = excluded.version
    where a.version < excluded.version
        and a.currency = excluded.currency
        and a.overdraft = excluded.overdraft
    returning 1
), new_refusal as (
    insert into ledger.refusal (shard, book, id, reason, refused_at)
    select $1, $2, id, reason, clock_timestamp()
    from unnest($19::uuid[], $20::text[]) as new (id, reason)
    returning 1
), new_tile as (
    insert into ledger.tile (shard, book, level, index, root, hashes)
    select $1, $2, *
    from unnest($21::smallint[], $22::bigint[], $23::bytea[], $24::bytea[])
    returning 1
), new_head as (
    update ledger.book
    set size = $25, root = $26, frontier = $27, recorded_at = coalesce($28, recorded_at)
    where shard = $1
        and book = $2
        and size = $29
    returning 1
)
select (select count(*) from new_transaction) as "transactions!",
    (select count(*) from new_entry) as "entries!",
    (select count(*) from new_balance) as "balances!",
    (select count(*) from new_refusal) as "refusals!",
    (select count(*) from new_tile) as "tiles!",
    (select count(*) from new_head) as "heads!"
