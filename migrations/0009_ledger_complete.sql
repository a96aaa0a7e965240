-- The ledger, complete: holds, partial reversals, closed accounts, codes and groups of accounts, effective dates on entries.
set local lock_timeout = '5s';

create table ledger.account_group (
    shard smallint not null default 0,
    book integer not null,
    id uuid not null,
    name text not null check (length(name) between 1 and 200),
    parent_id uuid,
    created_at timestamptz not null default now(),
    primary key (shard, book, id),
    unique (shard, book, name),
    check (parent_id <> id)
);
comment on table ledger.account_group is 'Groups of accounts, one within another; a view of the books that proves nothing, so it may change';
comment on column ledger.account_group.shard is 'Shard of the book';
comment on column ledger.account_group.book is 'The book that the accounts belong to';
comment on column ledger.account_group.id is 'Name of the group, chosen by whoever made it';
comment on column ledger.account_group.name is 'What people call it';
comment on column ledger.account_group.parent_id is 'The group that it is within; null at the top';
comment on column ledger.account_group.created_at is 'When it was made';

alter table ledger.account
    add column code integer not null default 0 check (code between 0 and 65535),
    add column group_id uuid,
    add column held_out bigint not null default 0 check (held_out >= 0),
    add column held_in bigint not null default 0 check (held_in >= 0),
    add column closed_seq bigint check (closed_seq >= 0),
    drop constraint account_bound,
    add constraint account_bound check (overdraft or balance - held_out >= 0);
comment on column ledger.account.code is 'Number of the account in the chart of accounts; fixed for ever';
comment on column ledger.account.group_id is 'The group that it is in';
comment on column ledger.account.held_out is 'Minor units that open holds would take; what is left of the balance is available';
comment on column ledger.account.held_in is 'Minor units that open holds would bring; not available yet';
comment on column ledger.account.closed_seq is 'The transaction that closed it, by its place in the book; null while it is open';
create index account_group_id on ledger.account (shard, book, group_id) where group_id is not null;
comment on index ledger.account_group_id is 'The accounts of a group';

drop trigger fixed on ledger.account;
-- Balances, what is held, version, the group, and once the closing change; nothing else does.
create trigger fixed before update of shard, book, id, currency, overdraft, code, opened_at on ledger.account
    for each statement execute function ledger.refuse_change();

alter table ledger.transaction
    add column reverses_part uuid,
    add column resolves uuid;
comment on column ledger.transaction.reverses_part is 'The transaction that this one undoes a part of';
comment on column ledger.transaction.resolves is 'The hold that this one captures, voids or lets expire';
create index transaction_reverses_part on ledger.transaction (shard, reverses_part, book) where reverses_part is not null;
comment on index ledger.transaction_reverses_part is 'The partial reversals of a transaction';
create unique index transaction_resolves_key on ledger.transaction (shard, resolves, book) where resolves is not null;
comment on index ledger.transaction_resolves_key is 'A hold ends at most once';

alter table ledger.entry add column effective_at timestamptz;
comment on column ledger.entry.effective_at is 'When it counts from, where its transaction was given a time; null: from when it was recorded';
create index entry_effective_at on ledger.entry (shard, book, account_id, effective_at) include (seq, amount)
    where effective_at is not null;
comment on index ledger.entry_effective_at is 'Entries that count from another time than they were recorded at';

create table ledger.open_hold (
    shard smallint not null default 0,
    book integer not null,
    id uuid not null,
    seq bigint not null,
    expires_at timestamptz,
    accounts uuid[] not null,
    -- As for transactions: only the index by time begins with the book, so nothing else looks good for what is due.
    primary key (shard, id, book)
);
comment on table ledger.open_hold is 'Holds that are not captured, voided or expired: a list that follows from the log';
comment on column ledger.open_hold.shard is 'Shard of the book';
comment on column ledger.open_hold.book is 'The book that the hold belongs to';
comment on column ledger.open_hold.id is 'The transaction that set the amounts aside';
comment on column ledger.open_hold.seq is 'Its place in the book';
comment on column ledger.open_hold.expires_at is 'From when on it can only expire; null: never';
comment on column ledger.open_hold.accounts is 'The accounts of its legs, so that whoever ends it finds them without its leaf';
create index open_hold_expires_at on ledger.open_hold (shard, book, expires_at) where expires_at is not null;
comment on index ledger.open_hold_expires_at is 'Holds in the order in which they expire';
