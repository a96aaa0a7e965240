-- Webhooks: endpoints of users, what is delivered to them, and each attempt at it.
set local lock_timeout = '5s';

create table app.webhook_endpoint (
    shard smallint not null default 0,
    id uuid not null,
    book_id integer not null default 1,
    owner_id uuid not null,
    url text not null check (length(url) between 1 and 2000),
    description text check (length(description) between 1 and 500),
    kinds text[] not null default '{}' check (cardinality(kinds) <= 50),
    takes_book boolean not null default false,
    disabled_reason text check (disabled_reason in ('by_hand', 'gone', 'failing')),
    secret text not null,
    old_secret text,
    old_secret_until timestamptz,
    failing_since timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (shard, id),
    check ((old_secret is null) = (old_secret_until is null))
);
create index webhook_endpoint_owner on app.webhook_endpoint (shard, owner_id, id);
create index webhook_endpoint_takes_book on app.webhook_endpoint (shard, book_id, id) where takes_book;
comment on table app.webhook_endpoint is 'Where a user wants to be told of events.';
comment on column app.webhook_endpoint.shard is 'Where the row lives; that of its book.';
comment on column app.webhook_endpoint.id is 'UUIDv7.';
comment on column app.webhook_endpoint.book_id is 'The book whose events are sent.';
comment on column app.webhook_endpoint.owner_id is 'The user whose endpoint it is (app.account_user).';
comment on column app.webhook_endpoint.url is 'Where deliveries are posted.';
comment on column app.webhook_endpoint.description is 'What its owner calls it.';
comment on column app.webhook_endpoint.kinds is 'The kinds of event that are sent, such as transaction.recorded or transaction.*; empty: all.';
comment on column app.webhook_endpoint.takes_book is 'Whether it gets the events of the whole book, which only staff may; else those of its owner.';
comment on column app.webhook_endpoint.disabled_reason is 'Why nothing is sent: by_hand, gone (it answered 410) or failing (for days); null: it is enabled.';
comment on column app.webhook_endpoint.secret is 'What deliveries are signed with, as whsec_ and base64.';
comment on column app.webhook_endpoint.old_secret is 'The secret before the last rotation, which signs beside the new one for a day.';
comment on column app.webhook_endpoint.old_secret_until is 'Until when the old secret signs.';
comment on column app.webhook_endpoint.failing_since is 'Since when every attempt has failed; null: the last one did not.';
comment on column app.webhook_endpoint.created_at is 'When it was made.';
comment on column app.webhook_endpoint.updated_at is 'When it was last changed.';
comment on index app.webhook_endpoint_owner is 'The endpoints of a user, and of those whom an event concerns';
comment on index app.webhook_endpoint_takes_book is 'The endpoints that get everything';

create table app.webhook_delivery (
    shard smallint not null default 0,
    id uuid not null,
    book_id integer not null default 1,
    endpoint_id uuid not null,
    event_id text not null check (length(event_id) between 1 and 100),
    kind text not null,
    body text not null,
    status text not null default 'pending' check (status in ('pending', 'delivered', 'failed', 'cancelled')),
    job_id uuid not null,
    attempts integer not null default 0,
    last_status smallint,
    last_error text,
    next_attempt_at timestamptz,
    created_at timestamptz not null default now(),
    ended_at timestamptz,
    primary key (shard, id),
    check ((status = 'pending') = (ended_at is null))
);
create index webhook_delivery_endpoint on app.webhook_delivery (shard, endpoint_id, id);
create index webhook_delivery_undelivered on app.webhook_delivery (shard, endpoint_id, id)
    where status in ('failed', 'cancelled');
comment on table app.webhook_delivery is 'One event on its way to one endpoint; kept for 30 days.';
comment on column app.webhook_delivery.shard is 'Where the row lives; that of its book.';
comment on column app.webhook_delivery.id is 'UUIDv7 of the event''s time, derived from event and endpoint, so that there is one of each.';
comment on column app.webhook_delivery.book_id is 'The book that the event happened in.';
comment on column app.webhook_delivery.endpoint_id is 'Where it goes (app.webhook_endpoint), which may have been deleted since.';
comment on column app.webhook_delivery.event_id is 'The event''s place in the log, sent as webhook-id; of a test, an id of its own.';
comment on column app.webhook_delivery.kind is 'The kind of event.';
comment on column app.webhook_delivery.body is 'What is posted, the same bytes with each attempt.';
comment on column app.webhook_delivery.status is 'pending, delivered (2xx), failed (given up) or cancelled (the endpoint was disabled).';
comment on column app.webhook_delivery.job_id is 'The job that delivers it (queue.job).';
comment on column app.webhook_delivery.attempts is 'How often it was tried, replays included.';
comment on column app.webhook_delivery.last_status is 'The HTTP status of the last answer; null: there was none.';
comment on column app.webhook_delivery.last_error is 'Why the last attempt failed; null: it did not.';
comment on column app.webhook_delivery.next_attempt_at is 'When it is tried again; null: at once, or never.';
comment on column app.webhook_delivery.created_at is 'When it was enqueued.';
comment on column app.webhook_delivery.ended_at is 'When it was delivered, given up or cancelled; null: it is pending.';
comment on index app.webhook_delivery_endpoint is 'The deliveries of an endpoint, by time';
comment on index app.webhook_delivery_undelivered is 'What can be replayed of an endpoint';

create table app.webhook_attempt (
    shard smallint not null default 0,
    delivery_id uuid not null,
    number integer not null,
    started_at timestamptz not null,
    duration_ms integer not null,
    status smallint,
    error text,
    response text,
    primary key (shard, delivery_id, number)
);
comment on table app.webhook_attempt is 'One attempt at a delivery.';
comment on column app.webhook_attempt.shard is 'Where the row lives; that of its delivery.';
comment on column app.webhook_attempt.delivery_id is 'The delivery (app.webhook_delivery).';
comment on column app.webhook_attempt.number is 'Which attempt it was, from 1; replays count on.';
comment on column app.webhook_attempt.started_at is 'When it began.';
comment on column app.webhook_attempt.duration_ms is 'How long it took, in milliseconds.';
comment on column app.webhook_attempt.status is 'The HTTP status of the answer; null: there was none.';
comment on column app.webhook_attempt.error is 'Why it failed; null: it did not.';
comment on column app.webhook_attempt.response is 'The beginning of the answer''s body; null: there was no answer.';
