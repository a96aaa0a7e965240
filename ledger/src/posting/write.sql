-- A whole batch: $3 to $10 its transactions, $11 to $16 their entries, $17 to $24 the accounts after them, $25 and $26 its
-- refusals, $27 to $30 the tiles that became full, $31 to $35 the new head and the size it follows, $36 to $39 the holds that
-- are open after it and were not before (the accounts of each as the text of an array), $40 those that were open and are not
-- any more.
with new_transaction as (
    insert into ledger.transaction (shard, book, seq, id, recorded_at, reverses, reverses_part, resolves, leaf_hash, leaf)
    select $1, $2, *
    from unnest(
        $3::bigint[], $4::uuid[], $5::timestamptz[], $6::uuid[], $7::uuid[], $8::uuid[], $9::bytea[], $10::bytea[]
    )
    returning 1
), new_entry as (
    insert into ledger.entry (shard, book, account_id, version, seq, amount, balance, effective_at)
    select $1, $2, *
    from unnest($11::uuid[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[], $16::timestamptz[])
    returning 1
), new_balance as (
    -- An update in the clothes of an insert, because its only plan is one look-up in the primary key for each
    -- account. None is inserted: the row is there, was read under the lock, and cannot be deleted.
    insert into ledger.account as a (shard, book, id, currency, overdraft, balance, version, held_out, held_in, closed_seq)
    select $1, $2, *
    from unnest(
        $17::uuid[], $18::text[], $19::boolean[], $20::bigint[], $21::bigint[], $22::bigint[], $23::bigint[], $24::bigint[]
    )
    on conflict (shard, book, id) do update
    set balance = excluded.balance,
        version = excluded.version,
        held_out = excluded.held_out,
        held_in = excluded.held_in,
        closed_seq = excluded.closed_seq
    where a.version <= excluded.version
        and a.closed_seq is null
        and a.currency = excluded.currency
        and a.overdraft = excluded.overdraft
    returning 1
), new_refusal as (
    insert into ledger.refusal (shard, book, id, reason, refused_at)
    select $1, $2, id, reason, clock_timestamp()
    from unnest($25::uuid[], $26::text[]) as new (id, reason)
    returning 1
), new_tile as (
    insert into ledger.tile (shard, book, level, index, root, hashes)
    select $1, $2, *
    from unnest($27::smallint[], $28::bigint[], $29::bytea[], $30::bytea[])
    returning 1
), new_head as (
    update ledger.book
    set size = $31, root = $32, frontier = $33, recorded_at = coalesce($34, recorded_at)
    where shard = $1
        and book = $2
        and size = $35
    returning 1
), new_hold as (
    insert into ledger.open_hold (shard, book, id, seq, expires_at, accounts)
    select $1, $2, id, seq, expires_at, accounts::uuid[]
    from unnest($36::uuid[], $37::bigint[], $38::timestamptz[], $39::text[]) as new (id, seq, expires_at, accounts)
    returning 1
), ended_hold as (
    -- By place: only the holder of the book's row writes here, so nobody moves it meanwhile.
    delete from ledger.open_hold
    where ctid = any (
        array(
            select found.place
            from unnest($40::uuid[]) as ended (id)
            cross join lateral (
                select ctid as place
                from ledger.open_hold
                where shard = $1
                    and book = $2
                    and id = ended.id
                offset 0
            ) as found
        )
    )
    returning 1
)
select (select count(*) from new_transaction) as "transactions!",
    (select count(*) from new_entry) as "entries!",
    (select count(*) from new_balance) as "balances!",
    (select count(*) from new_refusal) as "refusals!",
    (select count(*) from new_tile) as "tiles!",
    (select count(*) from new_head) as "heads!",
    (select count(*) from new_hold) as "holds!",
    (select count(*) from ended_hold) as "ended!"
