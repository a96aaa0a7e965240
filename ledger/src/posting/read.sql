-- Everything that a batch needs to know: $3 its accounts, $4 its ids and those of what it reverses or ends, $5 its ids,
-- $6 what it reverses, $7 to $8 the leaves of the open tile, $9 to $11 the open tiles above it, $12 the holds that it ends.
-- Each lateral query, which `offset 0` keeps as it stands, is one index look-up for each id, whatever the planner thinks of
-- the tables.
select 0::smallint as "kind!",
    null::uuid as id,
    null::text as text,
    null::boolean as overdraft,
    (extract(epoch from clock_timestamp()) * 1000000)::bigint as number,
    null::bigint as version,
    null::smallint as level,
    null::bytea as bytes,
    null::bigint as held_out,
    null::bigint as held_in,
    null::bigint as closed_seq
union all
select 1::smallint, a.id, a.currency, a.overdraft, a.balance, a.version, null, null, a.held_out, a.held_in, a.closed_seq
from unnest($3::uuid[]) as wanted (id)
cross join lateral (
    select *
    from ledger.account
    where shard = $1
        and book = $2
        and id = wanted.id
    offset 0
) as a
union all
-- The accounts of the holds that it ends, which it need not name.
select 1::smallint, a.id, a.currency, a.overdraft, a.balance, a.version, null, null, a.held_out, a.held_in, a.closed_seq
from unnest($12::uuid[]) as wanted (id)
cross join lateral (
    select accounts
    from ledger.open_hold
    where shard = $1
        and book = $2
        and id = wanted.id
    offset 0
) as h
cross join lateral unnest(h.accounts) as held (id)
cross join lateral (
    select *
    from ledger.account
    where shard = $1
        and book = $2
        and id = held.id
    offset 0
) as a
union all
select 2::smallint, t.id, null, null, t.seq, null, null, t.leaf, null, null, null
from unnest($4::uuid[]) as wanted (id)
cross join lateral (
    select *
    from ledger.transaction
    where shard = $1
        and id = wanted.id
    offset 0
) as t
where t.book = $2
union all
select 3::smallint, r.id, r.reason, null, null, null, null, null, null, null, null
from unnest($5::uuid[]) as wanted (id)
cross join lateral (
    select *
    from ledger.refusal
    where shard = $1
        and book = $2
        and id = wanted.id
    offset 0
) as r
union all
select 4::smallint, t.reverses, null, null, null, null, null, null, null, null, null
from unnest($6::uuid[]) as wanted (id)
cross join lateral (
    select *
    from ledger.transaction
    where shard = $1
        and reverses = wanted.id
    offset 0
) as t
where t.book = $2
union all
select 6::smallint, t.reverses_part, null, null, null, null, null, t.leaf, null, null, null
from unnest($6::uuid[]) as wanted (id)
cross join lateral (
    select *
    from ledger.transaction
    where shard = $1
        and reverses_part = wanted.id
    offset 0
) as t
where t.book = $2
union all
select 7::smallint, t.resolves, null, null, null, null, null, null, null, null, null
from unnest($12::uuid[]) as wanted (id)
cross join lateral (
    select *
    from ledger.transaction
    where shard = $1
        and resolves = wanted.id
    offset 0
) as t
where t.book = $2
union all
-- The open tile of the lowest level is made of the last leaves.
select 5::smallint, null, null, null, t.seq, null, 0::smallint, t.leaf_hash, null, null, null
from ledger.transaction as t
where t.shard = $1
    and t.book = $2
    and t.seq >= $7
    and t.seq < $8
union all
-- Those above it are made of the roots of the last tiles of the level below.
select 5::smallint, null, null, null, t.index, null, (t.level + 1)::smallint, t.root, null, null, null
from unnest($9::smallint[], $10::bigint[], $11::bigint[]) as open (level, start, stop)
cross join lateral (
    select *
    from ledger.tile
    where shard = $1
        and book = $2
        and level = open.level
        and index >= open.start
        and index < open.stop
    offset 0
) as t
