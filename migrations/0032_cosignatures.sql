-- What witnesses signed: that the log only grew up to a checkpoint.
set local lock_timeout = '5s';

create table ledger.cosignature (
    shard smallint not null default 0,
    book integer not null,
    witness text not null check (witness <> ''),
    size bigint not null check (size > 0),
    line text not null check (line ~ '^— [^ \n]+ [A-Za-z0-9+/=]+\n$'),
    kept_at timestamptz not null default clock_timestamp(),
    primary key (shard, book, witness, size)
);
-- Of one checkpoint, all; and the last checkpoint that has some.
create index cosignature_size on ledger.cosignature (shard, book, size);
comment on index ledger.cosignature_size is 'The cosignatures of a checkpoint';
comment on table ledger.cosignature is 'Signatures of witnesses under checkpoints, each checked before it was kept; insert only';
comment on column ledger.cosignature.shard is 'Shard of the book';
comment on column ledger.cosignature.book is 'The book whose log it is';
comment on column ledger.cosignature.witness is 'The witness''s public key as a C2SP signed-note verifier key';
comment on column ledger.cosignature.size is 'The size of the checkpoint that it is under';
comment on column ledger.cosignature.line is 'The line that it adds to the checkpoint''s note (C2SP tlog-cosignature), with its end';
comment on column ledger.cosignature.kept_at is 'When it was kept, by the database''s clock; when it was signed stands in the line';

create trigger append_only before update or delete or truncate on ledger.cosignature
    for each statement execute function ledger.refuse_change();
