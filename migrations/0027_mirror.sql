-- The mirror: how far an Erlang ledger outside has been told what a book of ours has recorded.
set local lock_timeout = '5s';

create table app.ledger_mirror (
    shard smallint not null default 0,
    book_id integer not null,
    node text not null check (length(node) between 3 and 201),
    position bigint not null default 0 check (position >= 0),
    state text not null default 'down' check (state in ('connected', 'slow', 'down', 'refused', 'diverged')),
    state_since timestamptz not null default now(),
    last_error text check (length(last_error) <= 2000),
    confirmed_total bigint not null default 0,
    refed_total bigint not null default 0,
    confirmed_at timestamptz,
    compared_at timestamptz,
    seen_at timestamptz not null default now(),
    created_at timestamptz not null default now(),
    primary key (shard, book_id, node)
) with (fillfactor = 50); -- a row for each node, updated with each page
comment on table app.ledger_mirror is 'Where the feeding of an Erlang ledger goes on, and how that node is; see docs/ERLANG.md.';
comment on column app.ledger_mirror.shard is 'Where the row lives; that of its book.';
comment on column app.ledger_mirror.book_id is 'The book (ledger.book).';
comment on column app.ledger_mirror.node is 'The Erlang node, such as ledger@10.0.0.7.';
comment on column app.ledger_mirror.position is 'The first leaf of the log that the node has not confirmed; what is before it has been, in order.';
comment on column app.ledger_mirror.state is 'connected, slow (answers too late), down, refused (wrong cookie, or no such function), or diverged (it lacks or refuses what we have).';
comment on column app.ledger_mirror.state_since is 'Since when.';
comment on column app.ledger_mirror.last_error is 'Why it is in that state; null: it is connected.';
comment on column app.ledger_mirror.confirmed_total is 'Transactions that the node has confirmed, again and again when they were fed again.';
comment on column app.ledger_mirror.refed_total is 'How often the position was set back, since the node lacked something.';
comment on column app.ledger_mirror.confirmed_at is 'When it last confirmed something.';
comment on column app.ledger_mirror.compared_at is 'When its histories were last compared with ours.';
comment on column app.ledger_mirror.seen_at is 'When a worker process last had to do with it: a mirror that nobody is told to feed any more falls silent.';
comment on column app.ledger_mirror.created_at is 'When it was first to be fed.';
