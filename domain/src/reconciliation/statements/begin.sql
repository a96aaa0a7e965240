-- What a statement says and what the ledger has, side by side; `this_statement` has its one row already.

create temporary table theirs on commit drop as
select l.line, l.booked_on as day, l.amount, l.reference, l.external_id, (l.currency = s.currency) as is_same_currency
from this_statement as s
join reconciliation.statement_line as l on l.shard = s.shard and l.statement_id = s.id;

create temporary table ours on commit drop as
select e.seq, t.id::text as id, r.reference, regexp_replace(r.reference, '/[^/]*$', '') as correlation, counted.day, e.amount
from this_statement as s
join ledger.entry as e on e.shard = s.shard and e.book = s.book and e.account_id = s.account_id
join ledger.transaction as t on t.shard = e.shard and t.book = e.book and t.seq = e.seq
left join app.transaction as r on r.shard = t.shard and r.id = t.id
cross join lateral (
    select (coalesce(r.effective_at, e.effective_at, t.recorded_at) at time zone 'UTC')::date as day
) as counted
where counted.day between s.period_from - s.tolerance_days and s.period_to + s.tolerance_days
  -- What stands on another statement of the account does not stand on this one.
  and not exists (
      select
      from reconciliation.match as m
      join reconciliation.statement as other on other.shard = m.shard and other.id = m.statement_id
      where m.shard = s.shard
        and m.seq = e.seq
        and other.book = s.book
        and other.account_id = s.account_id
        and other.id <> s.id
  );

create temporary table matched (
    line integer not null,
    seq bigint not null,
    shape text not null,
    matched_by text not null,
    confidence smallint not null
) on commit drop;

create temporary table problem (
    line integer,
    seq bigint,
    sub_class text not null,
    amount bigint,
    detail text not null
) on commit drop;

analyze theirs;
analyze ours;
