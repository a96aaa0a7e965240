-- A whole batch: $3 to $10 its transactions, $11 to $16 their entries, $17 to $23 the accounts after them, $24 and $25 its
-- refusals, $26 to $29 the tiles that became full, $30 to $34 the new head and the size it follows, $35 to $38 the holds that
-- are open after it and were not before (the accounts of each as the text of an array), $39 those that were open and are not
-- any more, $40 where the row of the book lies.
with new_transaction as (
    insert into ledger.transaction (shard, book, seq, id, recorded_at, reverses, reverses_part, resolves, leaf_hash, leaf)
    select $1, $2, unnest($3::bigint[]), unnest($4::uuid[]), unnest($5::timestamptz[]), unnest($6::uuid[]),
        unnest($7::uuid[]), unnest($8::uuid[]), unnest($9::bytea[]), unnest($10::bytea[])
), new_entry as (
    insert into ledger.entry (shard, book, account_id, version, seq, amount, balance, effective_at)
    select $1, $2, unnest($11::uuid[]), unnest($12::bigint[]), unnest($13::bigint[]), unnest($14::bigint[]),
        unnest($15::bigint[]), unnest($16::timestamptz[])
), new_balance as (
    -- By place, as it was read under the lock: no look-up in an index, and no lock for each row.
    update ledger.account as a
    set balance = new.balance,
        version = new.version,
        held_out = new.held_out,
        held_in = new.held_in,
        closed_seq = new.closed_seq
    from (
        select unnest($17::text[])::tid as place, unnest($18::uuid[]) as id, unnest($19::bigint[]) as balance,
            unnest($20::bigint[]) as version, unnest($21::bigint[]) as held_out, unnest($22::bigint[]) as held_in,
            unnest($23::bigint[]) as closed_seq
    ) as new
    where a.ctid = new.place
        and a.id = new.id
        and a.version <= new.version
        and a.closed_seq is null
    returning a.id, a.ctid::text as place
), new_refusal as (
    insert into ledger.refusal (shard, book, id, reason, refused_at)
    select $1, $2, id, reason, clock_timestamp()
    from unnest($24::uuid[], $25::text[]) as new (id, reason)
), new_tile as (
    insert into ledger.tile (shard, book, level, index, root, hashes)
    select $1, $2, *
    from unnest($26::smallint[], $27::bigint[], $28::bytea[], $29::bytea[])
), new_head as (
    update ledger.book
    set size = $30, root = $31, frontier = $32, recorded_at = coalesce($33, recorded_at)
    where ctid = $40::text::tid
        and shard = $1
        and book = $2
        and size = $34
    returning xmin::text as written_by
), new_hold as (
    insert into ledger.open_hold (shard, book, id, seq, expires_at, accounts)
    select $1, $2, id, seq, expires_at, accounts::uuid[]
    from unnest($35::uuid[], $36::bigint[], $37::timestamptz[], $38::text[]) as new (id, seq, expires_at, accounts)
), ended_hold as (
    -- By place: only the holder of the book's row writes here, so nobody moves it meanwhile.
    delete from ledger.open_hold
    where ctid = any (
        array(
            select found.place
            from unnest($39::uuid[]) as ended (id)
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
select (select written_by from new_head) as "written_by!",
    array(select id from new_balance) as "accounts!",
    array(select place from new_balance) as "places!",
    (select count(*) from ended_hold) as "ended!"
