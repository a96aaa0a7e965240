-- The domain's tables: accounts, products, transactions, their events, and the answers kept for repeated requests.
create schema app;
comment on schema app is 'Accounts, products and transactions: what users ask for. What happened to their money is in schema ledger.';

create table app.account_user (
    shard smallint not null default 0,
    id uuid not null,
    book_id integer not null default 1,
    email text not null check (email ~ '^[^\s]+@[^\s]+$' and length(email) <= 254),
    name text not null check (length(name) between 1 and 200),
    country text check (length(country) between 1 and 100),
    role text not null check (role in ('admin', 'operator', 'user')),
    status text not null default 'active' check (status in ('active', 'suspended')),
    password_hash text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (shard, id)
);
create unique index account_user_email on app.account_user (shard, book_id, lower(email));
comment on table app.account_user is 'A person or a system that may call the API.';
comment on column app.account_user.shard is 'Where the row lives; 0 on a single PostgreSQL.';
comment on column app.account_user.id is 'UUIDv7.';
comment on column app.account_user.book_id is 'The book (ledger.head) that this user acts in.';
comment on column app.account_user.email is 'Unique in the book, without regard to case.';
comment on column app.account_user.name is 'What the user is called.';
comment on column app.account_user.country is 'Free text, as the user gave it.';
comment on column app.account_user.role is 'admin may do everything, operator may run the service, user sees only what is theirs.';
comment on column app.account_user.status is 'A suspended user is refused at the door.';
comment on column app.account_user.password_hash is 'Argon2id in PHC form; null where the user has no password and cannot log in.';
comment on column app.account_user.created_at is 'When the user was created.';
comment on column app.account_user.updated_at is 'When the row was changed last.';

create table app.session (
    shard smallint not null default 0,
    token_hash bytea not null check (length(token_hash) = 32),
    user_id uuid not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    revoked_at timestamptz,
    primary key (shard, token_hash)
);
comment on table app.session is 'A log-in. The token itself is never stored.';
comment on column app.session.shard is 'Where the row lives; that of its user.';
comment on column app.session.token_hash is 'SHA-256 of the token, which has 256 random bits.';
comment on column app.session.user_id is 'Who logged in.';
comment on column app.session.created_at is 'When.';
comment on column app.session.expires_at is 'From when on the token is refused.';
comment on column app.session.revoked_at is 'When it was ended before its time.';

create table app.api_key (
    shard smallint not null default 0,
    key_hash bytea not null check (length(key_hash) = 32),
    user_id uuid not null,
    name text not null,
    hint text not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    primary key (shard, key_hash)
);
comment on table app.api_key is 'A long-lived credential of a program. The key itself is shown once and never stored.';
comment on column app.api_key.shard is 'Where the row lives; that of its user.';
comment on column app.api_key.key_hash is 'SHA-256 of the key, which has more than 170 random bits.';
comment on column app.api_key.user_id is 'Whose rights it carries.';
comment on column app.api_key.name is 'What its owner calls it.';
comment on column app.api_key.hint is 'Its first characters, to recognise it by.';
comment on column app.api_key.created_at is 'When it was made.';
comment on column app.api_key.expires_at is 'From when on it is refused; null: never.';
comment on column app.api_key.revoked_at is 'When it was withdrawn.';

create table app.wallet (
    shard smallint not null default 0,
    account_id uuid not null,
    book_id integer not null default 1,
    owner_id uuid,
    purpose text not null check (purpose in ('wallet', 'cash')),
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    state text not null default 'opening' check (state in ('opening', 'open')),
    created_at timestamptz not null default now(),
    opened_at timestamptz,
    primary key (shard, account_id),
    check ((purpose = 'wallet') = (owner_id is not null)),
    check ((state = 'open') = (opened_at is not null))
);
create unique index wallet_owner on app.wallet (shard, owner_id, currency) where owner_id is not null;
create unique index wallet_cash on app.wallet (shard, book_id, currency) where purpose = 'cash';
comment on table app.wallet is 'Who owns which ledger account, and for what.';
comment on column app.wallet.shard is 'Where the row lives; that of its book.';
comment on column app.wallet.account_id is 'The account in ledger.account.';
comment on column app.wallet.book_id is 'The book that the account is in.';
comment on column app.wallet.owner_id is 'The user whose money it is; null for the book''s own accounts.';
comment on column app.wallet.purpose is 'wallet: a user''s; cash: the outside world, which deposits come from and withdrawals go to.';
comment on column app.wallet.currency is 'ISO 4217.';
comment on column app.wallet.state is 'opening until accounts.open_wallets has opened the ledger account.';
comment on column app.wallet.created_at is 'When the wallet was asked for.';
comment on column app.wallet.opened_at is 'When the ledger account was opened.';

create table app.category (
    id integer generated always as identity primary key,
    name text not null unique,
    parent_id integer references app.category (id)
);
comment on table app.category is 'A small shared tree of product categories.';
comment on column app.category.id is 'Identity.';
comment on column app.category.name is 'What it is called, in lower case.';
comment on column app.category.parent_id is 'The category above; null at the top.';

create table app.category_rule (
    id integer generated always as identity primary key,
    rank integer not null,
    keyword text not null unique check (keyword = upper(keyword) and length(keyword) >= 2),
    category_id integer not null references app.category (id)
);
comment on table app.category_rule is 'products.categorize gives a product the category of the first rule whose keyword its name holds.';
comment on column app.category_rule.id is 'Identity.';
comment on column app.category_rule.rank is 'Lower ranks are tried first; the id breaks a tie.';
comment on column app.category_rule.keyword is 'In upper case; matched anywhere in the upper-cased name.';
comment on column app.category_rule.category_id is 'What the product becomes.';

insert into app.category (name) values
    ('bags'), ('christmas'), ('fees'), ('garden'), ('home'), ('kitchen'), ('lighting'), ('stationery'), ('toys');
insert into app.category_rule (rank, keyword, category_id)
select rule.rank, rule.keyword, category.id
from (values
    (10, 'POSTAGE', 'fees'), (10, 'BANK CHARGES', 'fees'), (10, 'AMAZON FEE', 'fees'), (10, 'CARRIAGE', 'fees'), (10, 'DISCOUNT', 'fees'),
    (20, 'CHRISTMAS', 'christmas'), (20, 'ADVENT', 'christmas'), (20, 'SNOWFLAKE', 'christmas'),
    (30, 'BAG', 'bags'), (30, 'SHOPPER', 'bags'), (30, 'PURSE', 'bags'),
    (40, 'LANTERN', 'lighting'), (40, 'T-LIGHT', 'lighting'), (40, 'CANDLE', 'lighting'), (40, 'LAMP', 'lighting'), (40, 'LIGHT', 'lighting'),
    (50, 'CAKE', 'kitchen'), (50, 'MUG', 'kitchen'), (50, 'TEA', 'kitchen'), (50, 'BOWL', 'kitchen'), (50, 'PLATE', 'kitchen'), (50, 'JAR', 'kitchen'), (50, 'LUNCH', 'kitchen'), (50, 'BOTTLE', 'kitchen'),
    (60, 'CARD', 'stationery'), (60, 'PEN', 'stationery'), (60, 'NOTEBOOK', 'stationery'), (60, 'WRAP', 'stationery'), (60, 'TISSUE', 'stationery'),
    (70, 'GARDEN', 'garden'), (70, 'PLANT', 'garden'), (70, 'FLOWER', 'garden'),
    (80, 'TOY', 'toys'), (80, 'GAME', 'toys'), (80, 'DOLL', 'toys'), (80, 'PLAYHOUSE', 'toys'), (80, 'BUILDING BLOCK', 'toys'),
    (90, 'HEART', 'home'), (90, 'FRAME', 'home'), (90, 'CLOCK', 'home'), (90, 'CUSHION', 'home'), (90, 'SIGN', 'home'), (90, 'DOORMAT', 'home'), (90, 'DRAWER', 'home')
) as rule (rank, keyword, category)
join app.category on category.name = rule.category;

create table app.product (
    shard smallint not null default 0,
    id uuid not null,
    book_id integer not null default 1,
    owner_id uuid not null,
    sku text not null check (length(sku) between 1 and 64),
    name text not null check (length(name) between 1 and 200),
    description text check (length(description) <= 4000),
    price bigint not null check (price > 0),
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    category_id integer,
    status text not null default 'active' check (status in ('active', 'archived')),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (shard, id)
);
create unique index product_sku on app.product (shard, owner_id, sku);
comment on table app.product is 'Something that a user sells.';
comment on column app.product.shard is 'Where the row lives; that of its book.';
comment on column app.product.id is 'UUIDv7.';
comment on column app.product.book_id is 'The book that it is sold in.';
comment on column app.product.owner_id is 'Who sells it.';
comment on column app.product.sku is 'The owner''s own code for it, unique among the owner''s products.';
comment on column app.product.name is 'What it is called.';
comment on column app.product.description is 'What it is.';
comment on column app.product.price is 'In minor units of its currency.';
comment on column app.product.currency is 'ISO 4217.';
comment on column app.product.category_id is 'app.category; null until products.categorize found a rule that fits.';
comment on column app.product.status is 'An archived product is kept for its history and not sold.';
comment on column app.product.created_at is 'When it was created.';
comment on column app.product.updated_at is 'When the row was changed last.';

create table app.transaction (
    shard smallint not null default 0,
    id uuid not null,
    book_id integer not null default 1,
    kind text not null check (kind in ('transfer', 'deposit', 'withdrawal', 'purchase', 'refund', 'reversal')),
    from_account uuid not null,
    to_account uuid not null,
    amount bigint not null check (amount > 0),
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    product_id uuid,
    quantity integer check (quantity > 0),
    reverses uuid,
    reference text check (length(reference) between 1 and 128),
    description text check (length(description) <= 500),
    effective_at timestamptz not null,
    metadata_salt bytea not null check (length(metadata_salt) = 16),
    created_by uuid not null,
    created_at timestamptz not null default now(),
    status text not null default 'pending' check (status in ('pending', 'recorded', 'rejected')),
    reason text,
    seq bigint,
    recorded_at timestamptz,
    primary key (shard, id),
    check (from_account <> to_account),
    check ((kind = 'reversal') = (reverses is not null)),
    check ((status = 'recorded') = (seq is not null and recorded_at is not null)),
    check ((status = 'rejected') = (reason is not null))
)
-- Room for the one update of its life (pending to recorded or rejected) on the same page, so that no index is touched.
with (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05);
create unique index transaction_reference on app.transaction (shard, created_by, reference) where reference is not null;
-- They do not begin with the shard, so that the planner never takes them for a look-up by shard and id, whatever it thinks
-- of a table that has just begun to grow. An account lies in one shard anyway.
create index transaction_from on app.transaction (from_account, id);
create index transaction_to on app.transaction (to_account, id);
comment on table app.transaction is 'What was asked for, and what became of it. Its job in queue.job has the same id.';
comment on column app.transaction.shard is 'Where the row lives; that of its book.';
comment on column app.transaction.id is 'UUIDv7, the same as the job''s and the ledger transaction''s.';
comment on column app.transaction.book_id is 'The book that it is recorded in.';
comment on column app.transaction.kind is 'What it was for.';
comment on column app.transaction.from_account is 'The ledger account that is debited.';
comment on column app.transaction.to_account is 'The ledger account that is credited.';
comment on column app.transaction.amount is 'In minor units of its currency.';
comment on column app.transaction.currency is 'ISO 4217; that of both accounts.';
comment on column app.transaction.product_id is 'What was bought.';
comment on column app.transaction.quantity is 'How many were bought.';
comment on column app.transaction.reverses is 'The transaction that this one takes back whole.';
comment on column app.transaction.reference is 'The caller''s own name for it, unique among the caller''s transactions.';
comment on column app.transaction.description is 'The caller''s own words.';
comment on column app.transaction.effective_at is 'When it counts, by the caller; recorded_at is when it was written.';
comment on column app.transaction.metadata_salt is 'Salts the hash that stands for reference and description in the ledger''s leaf, so that erasing them leaves the log whole.';
comment on column app.transaction.created_by is 'The user who asked.';
comment on column app.transaction.created_at is 'When it was accepted.';
comment on column app.transaction.status is 'pending until ledger.record_transaction has decided.';
comment on column app.transaction.reason is 'The ledger''s named refusal.';
comment on column app.transaction.seq is 'Its place in the book''s log.';
comment on column app.transaction.recorded_at is 'When the ledger recorded it.';

create table app.event (
    shard smallint not null default 0,
    id uuid not null,
    book_id integer not null default 1,
    xid xid8 not null default pg_current_xact_id(),
    topic text not null,
    kind text not null,
    payload jsonb not null,
    created_at timestamptz not null default now(),
    primary key (shard, id)
);
comment on table app.event is 'What happened, written in the same commit as what it tells.';
comment on column app.event.shard is 'Where the row lives; that of its book.';
comment on column app.event.id is 'UUIDv7.';
comment on column app.event.book_id is 'The book that it happened in.';
comment on column app.event.xid is 'The transaction that wrote it: followers read below the oldest one still open, so that no id appears behind them.';
comment on column app.event.topic is 'Whom it is for, such as user:<id> or ledger.';
comment on column app.event.kind is 'What happened, such as transaction.recorded.';
comment on column app.event.payload is 'The facts.';
comment on column app.event.created_at is 'When its commit began.';

create table app.idempotency (
    shard smallint not null default 0,
    principal_id uuid not null,
    route text not null,
    key text not null check (length(key) between 1 and 255),
    fingerprint bytea not null check (length(fingerprint) = 32),
    answer jsonb,
    created_at timestamptz not null default now(),
    primary key (shard, principal_id, route, key)
);
comment on table app.idempotency is 'What each Idempotency-Key was answered with, written in the same commit as the effect.';
comment on column app.idempotency.shard is 'Where the row lives; that of the caller.';
comment on column app.idempotency.principal_id is 'The user who sent it.';
comment on column app.idempotency.route is 'The operation id that it was sent to.';
comment on column app.idempotency.key is 'The header''s value.';
comment on column app.idempotency.fingerprint is 'SHA-256 of the request''s body.';
comment on column app.idempotency.answer is 'What the answer is made from again; null only inside the transaction that is still working.';
comment on column app.idempotency.created_at is 'When it was first sent; kept for at least 24 hours.';
