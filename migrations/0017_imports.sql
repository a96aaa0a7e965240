-- Files of users and products that are imported by a job, and what a run over all users counted.
create table app.import (
    shard smallint not null default 0,
    id uuid not null,
    book_id integer not null default 1,
    kind text not null check (kind in ('users', 'products')),
    format text not null check (format in ('csv', 'jsonl')),
    owner_id uuid not null,
    created_by uuid not null,
    state text not null default 'uploading' check (state in ('uploading', 'waiting', 'running', 'finished', 'stopped')),
    columns text[] not null default '{}',
    begins_at bigint not null default 0 check (begins_at >= 0),
    bytes bigint not null default 0 check (bytes >= 0),
    sha256 bytea check (length(sha256) = 32),
    bytes_done bigint not null default 0 check (bytes_done between 0 and bytes),
    rows bigint not null default 0,
    created bigint not null default 0,
    existing bigint not null default 0,
    refused bigint not null default 0,
    findings bigint not null default 0,
    created_at timestamptz not null default now(),
    finished_at timestamptz,
    primary key (shard, id),
    check (rows = created + existing + refused),
    check ((state = 'uploading') = (sha256 is null)),
    check ((state in ('finished', 'stopped')) = (finished_at is not null))
);
-- What is not over yet is little, and is looked for by the sweep and when another upload begins.
create index import_open on app.import (shard, created_by) where state in ('uploading', 'waiting', 'running');
create index import_creator on app.import (shard, book_id, created_by, id);
comment on table app.import is 'A file of users or products that somebody sent, and how far its job is. The job in queue.job has the same id.';
comment on column app.import.shard is 'Where the row lives; that of its book.';
comment on column app.import.id is 'UUIDv7, the same as the job''s.';
comment on column app.import.book_id is 'The book that its rows go to.';
comment on column app.import.kind is 'What its rows are.';
comment on column app.import.format is 'How they are written.';
comment on column app.import.owner_id is 'Whose the products become; of users, who asked.';
comment on column app.import.created_by is 'The user who sent it.';
comment on column app.import.state is 'uploading: nobody sees it yet; waiting for its job; running; finished; stopped: its job ended before the end of the file.';
comment on column app.import.columns is 'The header of a CSV, in its order; empty of JSON lines, which name their fields.';
comment on column app.import.begins_at is 'The byte that the rows begin at, behind the header.';
comment on column app.import.bytes is 'The length of the file.';
comment on column app.import.sha256 is 'The hash of the file, once it is here.';
comment on column app.import.bytes_done is 'Up to where its rows were dealt with; moves in the commit of the rows.';
comment on column app.import.rows is 'Rows dealt with.';
comment on column app.import.created is 'Rows that became something.';
comment on column app.import.existing is 'Rows whose address or code was taken; nothing was changed.';
comment on column app.import.refused is 'Rows that broke a rule.';
comment on column app.import.findings is 'What was found wrong or taken; the first of them are in app.import_finding.';
comment on column app.import.created_at is 'When the upload began.';
comment on column app.import.finished_at is 'When it was over.';

create table app.import_chunk (
    shard smallint not null default 0,
    import_id uuid not null,
    begins_at bigint not null,
    content bytea not null,
    primary key (shard, import_id, begins_at),
    foreign key (shard, import_id) references app.import (shard, id) on delete cascade
);
-- Stored as it came: compressing 100 MB costs a second of a processor, and the rows live for a minute.
alter table app.import_chunk alter column content set storage external;
comment on table app.import_chunk is 'The file of an import, in pieces of one size but the last; gone when the import is over.';
comment on column app.import_chunk.shard is 'Where the row lives; that of its import.';
comment on column app.import_chunk.import_id is 'The import.';
comment on column app.import_chunk.begins_at is 'The place of its first byte in the file.';
comment on column app.import_chunk.content is 'The bytes.';

create table app.import_finding (
    shard smallint not null default 0,
    import_id uuid not null,
    number bigint not null check (number > 0),
    row bigint not null,
    line bigint not null,
    field text,
    code text not null,
    detail text not null,
    primary key (shard, import_id, number),
    foreign key (shard, import_id) references app.import (shard, id) on delete cascade
);
comment on table app.import_finding is 'Why a row of an import became nothing. It never quotes the row, so there is nothing personal in it.';
comment on column app.import_finding.shard is 'Where the row lives; that of its import.';
comment on column app.import_finding.import_id is 'The import.';
comment on column app.import_finding.number is 'Counts the findings of an import, from 1.';
comment on column app.import_finding.row is 'The row of the file, from 1 behind the header; empty lines do not count.';
comment on column app.import_finding.line is 'The line of the file that the row begins on, from 1.';
comment on column app.import_finding.field is 'The column or field; null when it is about the whole row.';
comment on column app.import_finding.code is 'The rule, as a stable word.';
comment on column app.import_finding.detail is 'The rule, for a person.';

create table app.user_statistics (
    shard smallint not null default 0,
    user_id uuid not null,
    products bigint not null,
    transactions bigint not null,
    last_active_at timestamptz,
    counted_at timestamptz not null default now(),
    primary key (shard, user_id)
);
comment on table app.user_statistics is 'What accounts.process_users counted of each user.';
comment on column app.user_statistics.shard is 'Where the row lives; that of its user.';
comment on column app.user_statistics.user_id is 'The user.';
comment on column app.user_statistics.products is 'Products of the user that are not archived.';
comment on column app.user_statistics.transactions is 'Transactions that were recorded and moved the user''s money.';
comment on column app.user_statistics.last_active_at is 'When the user last asked for a transaction or created a product; null: never.';
comment on column app.user_statistics.counted_at is 'When this was counted.';
