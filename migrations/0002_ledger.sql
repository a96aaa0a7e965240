-- The ledger: books, their accounts, and for each book one append-only log of transactions with its Merkle tree.
--
-- One writer per book at a time: whoever posts holds the row of the book. So no other lock, sequence or foreign key is
-- needed to keep these tables consistent; `bitnexus ledger verify` derives all of them again from the leaves.
create schema ledger;
comment on schema ledger is 'Books of double-entry transactions, each with a Merkle log of its own';

create table ledger.book (
    shard smallint not null default 0,
    book integer not null check (book > 0),
    name text not null check (name <> ''),
    size bigint not null default 0 check (size >= 0),
    root bytea not null check (octet_length(root) = 32),
    frontier bytea not null default '' check (octet_length(frontier) % 32 = 0),
    recorded_at timestamptz,
    created_at timestamptz not null default now(),
    primary key (shard, book),
    unique (shard, name),
    check ((size = 0) = (recorded_at is null))
) with (fillfactor = 10); -- updated by every batch: room on the page keeps those updates in place
comment on table ledger.book is 'Books and the head of the log of each; the lock of a row makes its holder the one writer';
comment on column ledger.book.shard is 'The shard that holds all rows of the book; 0 on a single PostgreSQL';
comment on column ledger.book.book is 'Number of the book within its shard';
comment on column ledger.book.name is 'Name of the book, as people call it';
comment on column ledger.book.size is 'Count of leaves in the log, and so the seq of the next transaction';
comment on column ledger.book.root is 'Root of the tree over all leaves (RFC 6962, SHA-256)';
comment on column ledger.book.frontier is 'Roots of the largest full subtrees from left to right, 32 bytes each: all that appending needs';
comment on column ledger.book.recorded_at is 'recorded_at of the last transaction; the next one is later';
comment on column ledger.book.created_at is 'When the book was opened';

create table ledger.account (
    shard smallint not null default 0,
    book integer not null,
    id uuid not null,
    currency text not null check (octet_length(currency) = 3),
    overdraft boolean not null,
    balance bigint not null default 0,
    version bigint not null default 0 check (version >= 0),
    opened_at timestamptz not null default now(),
    primary key (shard, book, id),
    constraint account_bound check (overdraft or balance >= 0)
) with (fillfactor = 70); -- a posting updates balance and version only, in place while there is room
comment on table ledger.account is 'Accounts with their present balance';
comment on column ledger.account.shard is 'Shard of the book';
comment on column ledger.account.book is 'The book that the account belongs to';
comment on column ledger.account.id is 'Name of the account, chosen by whoever opened it';
comment on column ledger.account.currency is 'ISO 4217 code; fixed for ever';
comment on column ledger.account.overdraft is 'Whether the balance may be below zero';
comment on column ledger.account.balance is 'Sum of all entries, in minor units; credits raise it';
comment on column ledger.account.version is 'Count of entries, and so the version of the last one';
comment on column ledger.account.opened_at is 'When the account was opened';

create table ledger.transaction (
    shard smallint not null default 0,
    book integer not null,
    seq bigint not null check (seq >= 0),
    id uuid not null,
    recorded_at timestamptz not null,
    reverses uuid,
    leaf_hash bytea not null check (octet_length(leaf_hash) = 32),
    leaf bytea not null check (octet_length(leaf) between 1 and 65535),
    -- The book comes last, so that no other index looks as good for finding an id while the table has no statistics: a
    -- fresh book would be scanned from its first leaf for each id.
    primary key (shard, id, book),
    unique (shard, book, seq)
);
-- At most once is the index's promise too, not only the writer's.
create unique index transaction_reverses_key on ledger.transaction (shard, reverses, book) where reverses is not null;
comment on table ledger.transaction is 'Recorded transactions, each a leaf of its book''s log; insert only';
comment on column ledger.transaction.shard is 'Shard of the book';
comment on column ledger.transaction.book is 'The book that the transaction belongs to';
comment on column ledger.transaction.seq is 'Place in the order of the book, and index of the leaf; without gaps from 0';
comment on column ledger.transaction.id is 'Name of the transaction, chosen by whoever asked for it; unique for ever';
comment on column ledger.transaction.recorded_at is 'When it was recorded, by the database''s clock; strictly later than the one before';
comment on column ledger.transaction.reverses is 'The transaction that this one undoes';
comment on column ledger.transaction.leaf_hash is 'SHA-256 of a zero byte and the leaf (RFC 6962)';
comment on column ledger.transaction.leaf is 'The whole transaction in the canonical encoding of docs/LEDGER.md';

create table ledger.entry (
    shard smallint not null default 0,
    book integer not null,
    account_id uuid not null,
    version bigint not null check (version >= 1),
    seq bigint not null,
    amount bigint not null check (amount <> 0),
    balance bigint not null,
    primary key (shard, book, account_id, version)
);
comment on table ledger.entry is 'What each transaction did to each of its accounts, one row for each leg; insert only';
comment on column ledger.entry.shard is 'Shard of the book';
comment on column ledger.entry.book is 'The book that the account and the transaction belong to';
comment on column ledger.entry.account_id is 'The account';
comment on column ledger.entry.version is 'Place in the history of the account; without gaps from 1';
comment on column ledger.entry.seq is 'The transaction, by its place in the book';
comment on column ledger.entry.amount is 'Minor units; above zero raises the balance';
comment on column ledger.entry.balance is 'Balance of the account after this entry';

create table ledger.refusal (
    shard smallint not null default 0,
    book integer not null,
    id uuid not null,
    reason text not null check (reason <> ''),
    refused_at timestamptz not null,
    primary key (shard, book, id)
);
comment on table ledger.refusal is 'Ids of transactions that were refused for good, so that they stay refused; insert only';
comment on column ledger.refusal.shard is 'Shard of the book';
comment on column ledger.refusal.book is 'The book that refused';
comment on column ledger.refusal.id is 'The id that is used up';
comment on column ledger.refusal.reason is 'Name of the refusal, as in docs/LEDGER.md';
comment on column ledger.refusal.refused_at is 'When it was refused, by the database''s clock';

create table ledger.tile (
    shard smallint not null default 0,
    book integer not null,
    level smallint not null check (level between 0 and 6),
    index bigint not null check (index >= 0),
    root bytea not null check (octet_length(root) = 32),
    hashes bytea not null check (octet_length(hashes) = 8192),
    primary key (shard, book, level, index)
);
-- Hashes do not compress; trying costs time on every write.
alter table ledger.tile alter column hashes set storage external;
comment on table ledger.tile is 'Full tiles of the Merkle tree (C2SP tlog-tiles); insert only. The open right edge is derived from the last rows';
comment on column ledger.tile.shard is 'Shard of the book';
comment on column ledger.tile.book is 'The book whose log it is';
comment on column ledger.tile.level is 'Level of the tile: its hashes are roots of 256^level leaves';
comment on column ledger.tile.index is 'Place of the tile within its level';
comment on column ledger.tile.root is 'Root over the 256 hashes, which is a hash of the tile above';
comment on column ledger.tile.hashes is '256 hashes of 32 bytes';

create table ledger.checkpoint (
    shard smallint not null default 0,
    book integer not null,
    size bigint not null check (size > 0),
    root bytea not null check (octet_length(root) = 32),
    note text not null check (note <> ''),
    signed_at timestamptz not null default clock_timestamp(),
    primary key (shard, book, size)
);
comment on table ledger.checkpoint is 'Signed heads of the log, each consistent with the one before; insert only';
comment on column ledger.checkpoint.shard is 'Shard of the book';
comment on column ledger.checkpoint.book is 'The book whose log it is';
comment on column ledger.checkpoint.size is 'Count of leaves that it covers';
comment on column ledger.checkpoint.root is 'Root over those leaves';
comment on column ledger.checkpoint.note is 'The signed note as published (C2SP tlog-checkpoint)';
comment on column ledger.checkpoint.signed_at is 'When it was signed, by the database''s clock';

-- What is recorded stays as it is. The triggers are for each statement, so an insert pays nothing for them.
create function ledger.refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'ledger.% is append-only: % is refused', tg_table_name, lower(tg_op)
        using errcode = 'restrict_violation';
end
$$;
comment on function ledger.refuse_change() is 'Trigger: raises, whatever the change';

create trigger append_only before update or delete or truncate on ledger.transaction
    for each statement execute function ledger.refuse_change();
create trigger append_only before update or delete or truncate on ledger.entry
    for each statement execute function ledger.refuse_change();
create trigger append_only before update or delete or truncate on ledger.refusal
    for each statement execute function ledger.refuse_change();
create trigger append_only before update or delete or truncate on ledger.tile
    for each statement execute function ledger.refuse_change();
create trigger append_only before update or delete or truncate on ledger.checkpoint
    for each statement execute function ledger.refuse_change();
create trigger stays before delete or truncate on ledger.book
    for each statement execute function ledger.refuse_change();
create trigger stays before delete or truncate on ledger.account
    for each statement execute function ledger.refuse_change();
-- Only balance and version of an account ever change.
create trigger fixed before update of shard, book, id, currency, overdraft, opened_at on ledger.account
    for each statement execute function ledger.refuse_change();

-- The root of an empty log is SHA-256 of nothing.
insert into ledger.book (shard, book, name, root)
values (0, 1, 'main', sha256(''));
