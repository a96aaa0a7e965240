-- Transactions, complete: several legs, holds and what ends them, reversals in part; listing by product.
set local lock_timeout = '5s';

alter table app.transaction
    add column act text,
    add column expires_at timestamptz,
    add column resolves uuid,
    add column ended text,
    add column leg_count smallint,
    drop constraint transaction_kind_check,
    -- Not valid: older rows satisfy them as they are, and reading all of them would hold the lock that long.
    add constraint transaction_kind_check check (
        kind in ('transfer', 'deposit', 'withdrawal', 'purchase', 'refund', 'reversal', 'multi_leg', 'post', 'void')
    ) not valid,
    add constraint transaction_act_check check (
        act is null or act = 'hold' and kind not in ('reversal', 'post', 'void') or act = 'part' and kind in ('reversal', 'post')
    ) not valid,
    add constraint transaction_expires_check check (expires_at is null or act = 'hold') not valid,
    add constraint transaction_resolves_check check ((kind in ('post', 'void')) = (resolves is not null)) not valid,
    add constraint transaction_ended_check check (
        ended is null or ended in ('posted', 'voided') and act = 'hold' and status = 'recorded'
    ) not valid,
    add constraint transaction_leg_count_check check (leg_count between 2 and 1000) not valid;
comment on column app.transaction.act is
    'hold: its amounts are set aside until it is posted, voided or expires; part: a reversal or a posting of less than the whole; null: all else.';
comment on column app.transaction.expires_at is 'From when on a hold can only expire; null: never.';
comment on column app.transaction.resolves is 'The hold that a post or a void ends.';
comment on column app.transaction.ended is
    'How a hold ended: posted or voided, in the commit of what ended it; null: not so. That it expired follows from expires_at.';
comment on column app.transaction.leg_count is
    'How many rows of app.transaction_leg it has; null: it has two legs, which from_account, to_account and amount tell.';
comment on column app.transaction.from_account is 'The ledger account that is debited; of several legs the first such one.';
comment on column app.transaction.to_account is 'The ledger account that is credited; of several legs the first such one.';
comment on column app.transaction.amount is 'In minor units of its currency; of several legs that of the first that is debited.';
comment on column app.transaction.currency is 'ISO 4217; that of both accounts; of several legs that of the first that is debited.';
comment on column app.transaction.reverses is 'The transaction that this one takes back, whole or in part.';

create index transaction_product on app.transaction (product_id, id) where product_id is not null;
comment on index app.transaction_product is 'The sales of a product, in their order';

create table app.transaction_leg (
    shard smallint not null default 0,
    transaction_id uuid not null,
    position smallint not null check (position between 0 and 999),
    account_id uuid not null,
    amount bigint not null check (amount <> 0),
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    primary key (shard, transaction_id, position)
);
create unique index transaction_leg_account on app.transaction_leg (account_id, transaction_id);
comment on index app.transaction_leg_account is 'An account has one leg of a transaction; the transactions of an account in their order';
comment on table app.transaction_leg is 'The legs of transactions that have more than two, or more than one currency; those of all others stand in their own row.';
comment on column app.transaction_leg.shard is 'Where the row lives; that of its transaction.';
comment on column app.transaction_leg.transaction_id is 'The transaction.';
comment on column app.transaction_leg.position is 'Its place among the legs, from 0, as it was asked for.';
comment on column app.transaction_leg.account_id is 'The ledger account.';
comment on column app.transaction_leg.amount is 'In minor units of its currency; above zero credits the account, below zero debits it.';
comment on column app.transaction_leg.currency is 'ISO 4217; that of the account.';
