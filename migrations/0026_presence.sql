-- Who is present on topics of channels, told by each process of the API to the others.
set local lock_timeout = '5s';

create table app.presence_process (
    shard smallint not null default 0,
    process_id uuid not null,
    version bigint not null default 1,
    seen_at timestamptz not null default now(),
    primary key (shard, process_id)
);
comment on table app.presence_process is 'Processes of the API that have clients on topics with presence. One of which nothing is heard is gone, and its row goes later.';
comment on column app.presence_process.shard is 'Always 0: what it says is about processes, not about a book.';
comment on column app.presence_process.process_id is 'Chosen by the process at its start.';
comment on column app.presence_process.version is 'Rises with each change of its presences: only what has changed is read again.';
comment on column app.presence_process.seen_at is 'When it was heard of last.';

create table app.presence (
    shard smallint not null default 0,
    process_id uuid not null,
    reference text not null,
    book_id integer not null,
    topic text not null,
    key text not null,
    online_at_s bigint not null,
    primary key (shard, process_id, reference),
    foreign key (shard, process_id) references app.presence_process (shard, process_id) on delete cascade
);
comment on table app.presence is 'Who is present: one row for each channel that somebody has joined, for as long as it lasts.';
comment on column app.presence.shard is 'That of its process.';
comment on column app.presence.process_id is 'Whose client it is.';
comment on column app.presence.reference is 'Tells it from all others (phx_ref).';
comment on column app.presence.book_id is 'The book of the topic.';
comment on column app.presence.topic is 'The topic, as clients name it.';
comment on column app.presence.key is 'Who it is: the id of the user.';
comment on column app.presence.online_at_s is 'Since when: seconds since 1970, by the clock of its process. Shown, and nothing depends on it.';
