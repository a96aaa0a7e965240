-- The balance of $3 by the times that its entries count from, at $4: the running balance at the last transaction recorded by
-- then, and the entries with a time of their own that belong to the other side of it. One statement, so that all is of one
-- snapshot. $1 and $2 name the book.
with recursive by_time (low, high) as (
    select -1::bigint, size - 1
    from ledger.book
    where shard = $1
        and book = $2
    union all
    select case when probe.recorded_at <= $4 then probe.seq else by_time.low end,
        case when probe.recorded_at <= $4 then by_time.high else probe.seq - 1 end
    from by_time
    cross join lateral (
        select seq, recorded_at
        from ledger.transaction
        where shard = $1
            and book = $2
            and seq = (by_time.low + by_time.high + 1) / 2
        offset 0
    ) as probe
    where by_time.low < by_time.high
), last as (
    select low as seq
    from by_time
    where low = high
), by_seq (low, high) as (
    select 0::bigint, version
    from ledger.account
    where shard = $1
        and book = $2
        and id = $3
    union all
    select case when probe.seq <= last.seq then probe.version else by_seq.low end,
        case when probe.seq <= last.seq then by_seq.high else probe.version - 1 end
    from by_seq
    cross join last
    cross join lateral (
        select version, seq
        from ledger.entry
        where shard = $1
            and book = $2
            and account_id = $3
            and version = (by_seq.low + by_seq.high + 1) / 2
        offset 0
    ) as probe
    where by_seq.low < by_seq.high
)
select (
    coalesce((
        select balance
        from ledger.entry
        where shard = $1
            and book = $2
            and account_id = $3
            and version = by_seq.low
    ), 0)
    -- Recorded later, but counts from before.
    + coalesce((
        select sum(amount)
        from ledger.entry
        where shard = $1
            and book = $2
            and account_id = $3
            and effective_at <= $4
            and seq > last.seq
    ), 0)
    -- Recorded before, but counts from later.
    - coalesce((
        select sum(amount)
        from ledger.entry
        where shard = $1
            and book = $2
            and account_id = $3
            and effective_at > $4
            and seq <= last.seq
    ), 0)
)::text as "balance!"
from by_seq
cross join last
where by_seq.low = by_seq.high
