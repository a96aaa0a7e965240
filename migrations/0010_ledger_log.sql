-- The keys of each book's log: who may sign which checkpoints.
set local lock_timeout = '5s';

create table ledger.log_key (
    shard smallint not null default 0,
    book integer not null,
    vkey text not null check (vkey <> ''),
    from_size bigint not null check (from_size > 0),
    until_size bigint check (until_size >= from_size - 1),
    endorsement text check (endorsement <> ''),
    added_at timestamptz not null default clock_timestamp(),
    primary key (shard, book, vkey)
);
-- A log begins with one key; whatever comes after it is endorsed by one that was in force.
create unique index log_key_first on ledger.log_key (shard, book) where endorsement is null;
comment on index ledger.log_key_first is 'The key that a log began with; there is one';
comment on table ledger.log_key is 'Public keys of the log and the sizes that each may sign for; rows stay for ever';
comment on column ledger.log_key.shard is 'Shard of the book';
comment on column ledger.log_key.book is 'The book whose log it is';
comment on column ledger.log_key.vkey is 'The public key as a C2SP signed-note verifier key';
comment on column ledger.log_key.from_size is 'The first size that it may sign for';
comment on column ledger.log_key.until_size is 'The last size that it may sign for; null while it is in force';
comment on column ledger.log_key.endorsement is 'Signed note of an earlier key which says that this one follows; null for the first';
comment on column ledger.log_key.added_at is 'When it was added, by the database''s clock';

create trigger stays before delete or truncate on ledger.log_key
    for each statement execute function ledger.refuse_change();
create trigger fixed before update of shard, book, vkey, from_size, endorsement, added_at on ledger.log_key
    for each statement execute function ledger.refuse_change();
-- A key is retired once; it does not come back.
create trigger retired_once before update of until_size on ledger.log_key
    for each row when (old.until_size is not null) execute function ledger.refuse_change();
