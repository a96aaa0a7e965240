-- What a key may do, and what operators did.
alter table app.api_key add column scopes text[] not null default '{}';
comment on column app.api_key.scopes is 'What the key may do of what its user may; empty: all of it.';

create table app.audit (
    shard smallint not null default 0,
    id uuid not null,
    book_id integer not null default 1,
    at timestamptz not null default clock_timestamp(),
    actor uuid not null,
    action text not null check (action ~ '^[a-z_]+\.[a-z_]+$'),
    target text not null,
    detail jsonb not null default '{}',
    primary key (shard, id)
);
create index audit_actor on app.audit (shard, book_id, actor, id);
comment on table app.audit is 'What was done by whom to accounts and rights: who, when, what. Only ever added to. What was done to the queue is in queue.audit.';
comment on column app.audit.shard is 'Where the row lives; that of its book.';
comment on column app.audit.id is 'UUIDv7.';
comment on column app.audit.book_id is 'The book that the actor acts in.';
comment on column app.audit.at is 'When, by the database''s clock.';
comment on column app.audit.actor is 'The user who did it.';
comment on column app.audit.action is 'What, such as user.suspend or api_key.create.';
comment on column app.audit.target is 'To what: an id or a name; never anything secret or personal.';
comment on column app.audit.detail is 'The values that were set, none of them secret or personal.';
