-- Profiles, deleted users, sessions that are refreshed, keys that are looked after, throttled log-ins, reset passwords.
set local lock_timeout = '5s';

alter table app.account_user
    add column phone text check (phone ~ '^\+[1-9][0-9]{6,14}$'),
    add column locale text check (length(locale) between 2 and 35),
    add column time_zone text check (length(time_zone) between 1 and 64),
    add column avatar_url text check (length(avatar_url) <= 500),
    add column bio text check (length(bio) between 1 and 1000),
    add column deleted_at timestamptz,
    drop constraint account_user_status_check,
    add constraint account_user_status_check check (status in ('active', 'suspended', 'deleted')) not valid,
    add constraint account_user_deleted_check check ((status = 'deleted') = (deleted_at is not null)) not valid;
-- Checked apart, so that reads and writes go on meanwhile.
alter table app.account_user validate constraint account_user_status_check;
alter table app.account_user validate constraint account_user_deleted_check;
-- Any part of a name or an address, in one index. One of the PostgreSQLs that the service may run on is shipped without pg_trgm;
-- there, a search for a part reads all users.
do $$
begin
    create extension if not exists pg_trgm;
    create index account_user_search on app.account_user using gin (name gin_trgm_ops, email gin_trgm_ops);
exception
    when feature_not_supported or undefined_file or insufficient_privilege then
        raise notice 'pg_trgm cannot be had (%): searches for users are not indexed', sqlerrm;
end
$$;
create index account_user_created on app.account_user (shard, book_id, created_at);
comment on column app.account_user.status is 'A suspended user is refused at the door; a deleted one is kept as the owner of what is recorded.';
comment on column app.account_user.phone is 'E.164.';
comment on column app.account_user.locale is 'BCP 47, such as en-GB.';
comment on column app.account_user.time_zone is 'A name of the IANA time zone database.';
comment on column app.account_user.avatar_url is 'An https address of a picture; nothing of ours fetches it.';
comment on column app.account_user.bio is 'The user''s own words.';
comment on column app.account_user.deleted_at is 'When the user was deleted; the address was freed then.';

alter table app.wallet
    drop constraint wallet_state_check,
    drop constraint wallet_check1,
    add constraint wallet_state_check check (state in ('opening', 'open', 'closed')) not valid,
    add constraint wallet_opened_check check (case state when 'open' then opened_at is not null when 'opening' then opened_at is null else true end) not valid;
alter table app.wallet validate constraint wallet_state_check;
alter table app.wallet validate constraint wallet_opened_check;
comment on column app.wallet.state is 'opening until accounts.open_wallets has opened the ledger account; closed when its owner was deleted.';

create table app.wallet_gate (
    shard smallint not null default 0 primary key
);
comment on table app.wallet_gate is 'Has no rows. Whoever accepts transactions holds a weak lock of it to the end of the commit; whoever deletes a user locks it exclusively, and so knows that nothing is on its way to the wallets.';
comment on column app.wallet_gate.shard is 'Would be the shard whose wallets are guarded.';

alter table app.session
    add column id uuid not null default gen_random_uuid(),
    add column family_hash bytea check (length(family_hash) = 32),
    add column seed bytea check (length(seed) = 32),
    add column refresh_hash bytea check (length(refresh_hash) = 32),
    add column previous_refresh_hash bytea check (length(previous_refresh_hash) = 32),
    add column refreshed_at timestamptz,
    add column token_seconds integer not null default 43200 check (token_seconds between 900 and 43200),
    add column ends_at timestamptz,
    add column user_agent text check (length(user_agent) <= 200),
    add column address inet;
update app.session set ends_at = expires_at;
alter table app.session
    alter column ends_at set default now() + interval '30 days',
    alter column ends_at set not null;
create unique index session_id on app.session (shard, id);
create unique index session_family on app.session (shard, family_hash);
create index session_of_user on app.session (shard, user_id, id);
comment on column app.session.token_hash is 'SHA-256 of the bearer token of the moment, which has 256 random bits.';
comment on column app.session.expires_at is 'From when on the bearer token is refused.';
comment on column app.session.id is 'What the session is called; no secret.';
comment on column app.session.family_hash is 'SHA-256 of the half that all refresh tokens of the session share; null: begun before there were any.';
comment on column app.session.seed is 'Together with a refresh token it yields the tokens that follow it; without one it yields nothing.';
comment on column app.session.refresh_hash is 'SHA-256 of the refresh token that is good now.';
comment on column app.session.previous_refresh_hash is 'SHA-256 of the one before, which is answered alike for a moment.';
comment on column app.session.refreshed_at is 'When it was refreshed last.';
comment on column app.session.token_seconds is 'For how many seconds a bearer token of it is good.';
comment on column app.session.ends_at is 'When it ends, however often it was refreshed.';
comment on column app.session.user_agent is 'What the client called itself at log-in, cut to 200 characters.';
comment on column app.session.address is 'Where the log-in came from.';

alter table app.api_key
    add column id uuid not null default gen_random_uuid(),
    add column last_used_at timestamptz;
create unique index api_key_id on app.api_key (shard, id);
create index api_key_user on app.api_key (shard, user_id, id);
comment on column app.api_key.id is 'What the key is called; no secret.';
comment on column app.api_key.last_used_at is 'When it was used last, to the minute.';

create table app.login_throttle (
    shard smallint not null default 0,
    book_id integer not null default 1,
    email_hash bytea not null check (length(email_hash) = 32),
    failures integer not null default 0 check (failures >= 0),
    failed_at timestamptz not null default now(),
    locked_until timestamptz not null default now(),
    reset_asked_at timestamptz,
    primary key (shard, book_id, email_hash)
);
create index login_throttle_failed on app.login_throttle (shard, failed_at);
comment on table app.login_throttle is 'Log-ins that failed, by address, whether or not a user has it. A row goes when a log-in succeeds, or a day after the last failure.';
comment on column app.login_throttle.shard is 'Where the row lives; that of its book.';
comment on column app.login_throttle.book_id is 'The book whose users log in.';
comment on column app.login_throttle.email_hash is 'SHA-256 of the address in lower case.';
comment on column app.login_throttle.failures is 'Attempts since the last success; one that is being checked counts until it is known to be right.';
comment on column app.login_throttle.failed_at is 'When the last of them began.';
comment on column app.login_throttle.locked_until is 'Until then attempts are refused unseen.';
comment on column app.login_throttle.reset_asked_at is 'When somebody asked for a new password last.';

create table app.password_reset (
    shard smallint not null default 0,
    token_hash bytea not null check (length(token_hash) = 32),
    user_id uuid not null,
    created_by uuid,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    used_at timestamptz,
    primary key (shard, token_hash)
);
create index password_reset_user on app.password_reset (shard, user_id);
comment on table app.password_reset is 'Leave to set a new password once. The token itself is never stored here.';
comment on column app.password_reset.shard is 'Where the row lives; that of its user.';
comment on column app.password_reset.token_hash is 'SHA-256 of the token, which has 256 random bits.';
comment on column app.password_reset.user_id is 'Whose password it is.';
comment on column app.password_reset.created_by is 'The administrator who made it; null: the user asked.';
comment on column app.password_reset.created_at is 'When.';
comment on column app.password_reset.expires_at is 'From when on the token is refused.';
comment on column app.password_reset.used_at is 'When it was used, or another one was.';
