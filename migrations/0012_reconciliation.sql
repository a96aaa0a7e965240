-- Reconciliation: runs of the checks R1 to R12, the breaks they find and what becomes of them, statements of others and how they match.
set local lock_timeout = '5s';

create schema reconciliation;

create table reconciliation.run (
    shard smallint not null default 0,
    id uuid not null,
    book integer not null,
    kind text not null check (kind in ('full', 'incremental')),
    repair boolean not null,
    state text not null default 'waiting' check (state in ('waiting', 'running', 'clean', 'breaks')),
    asked_by text not null check (length(asked_by) between 1 and 200),
    asked_at timestamptz not null default now(),
    from_size bigint not null default 0 check (from_size >= 0),
    size bigint check (size >= from_size),
    root bytea check (octet_length(root) = 32),
    requests_since timestamptz,
    verified_size bigint check (verified_size between 0 and size),
    frontier bytea check (octet_length(frontier) % 32 = 0),
    step text,
    snapshots integer not null default 0 check (snapshots >= 0),
    scanned bigint not null default 0 check (scanned >= 0),
    left_out bigint not null default 0 check (left_out >= 0),
    carried integer not null default 0 check (carried >= 0),
    gone integer not null default 0 check (gone >= 0),
    healed integer not null default 0 check (healed >= 0),
    classes jsonb not null default '{}',
    digest bytea check (octet_length(digest) = 32),
    started_at timestamptz,
    ended_at timestamptz,
    primary key (shard, id),
    check ((state = 'waiting') = (started_at is null)),
    check ((state in ('clean', 'breaks')) = (ended_at is not null)),
    check ((ended_at is not null) = (digest is not null))
);
comment on table reconciliation.run is 'Each run of the checks R1 to R12 over a book';
comment on column reconciliation.run.shard is 'Shard of the book';
comment on column reconciliation.run.id is 'Name of the run, which is that of its job';
comment on column reconciliation.run.book is 'The book that is checked';
comment on column reconciliation.run.kind is 'full: all there is; incremental: what came since the last verified size';
comment on column reconciliation.run.repair is 'Whether it may derive projections again and enqueue lost work under the same id';
comment on column reconciliation.run.state is 'waiting, running, then clean or breaks';
comment on column reconciliation.run.asked_by is 'Who asked: a user, a schedule, the command line';
comment on column reconciliation.run.asked_at is 'When it was asked for';
comment on column reconciliation.run.from_size is 'Leaves that an earlier run verified; this one begins after them';
comment on column reconciliation.run.size is 'Leaves of the log as of this run';
comment on column reconciliation.run.root is 'Root of the log at that size, by the book''s row';
comment on column reconciliation.run.requests_since is 'Requests from this time on are checked; null: all';
comment on column reconciliation.run.verified_size is 'Leaves that are verified now: size if the ledger''s own checks found nothing, else from_size';
comment on column reconciliation.run.frontier is 'The tree''s right edge at verified_size, from which the next run goes on';
comment on column reconciliation.run.step is 'The check that it is at';
comment on column reconciliation.run.snapshots is 'Snapshots that it read: one, and one more for each time that it was resumed';
comment on column reconciliation.run.scanned is 'Rows that the checks looked at';
comment on column reconciliation.run.left_out is 'Findings beyond the most that are kept of one check';
comment on column reconciliation.run.carried is 'Breaks of earlier runs that are still open';
comment on column reconciliation.run.gone is 'Open breaks that a full run found no more, and so closed';
comment on column reconciliation.run.healed is 'Breaks that it repaired';
comment on column reconciliation.run.classes is 'For each class: findings, new breaks, and amounts by currency in minor units as text';
comment on column reconciliation.run.digest is 'SHA-256 of the report';
comment on column reconciliation.run.started_at is 'When its first step began';
comment on column reconciliation.run.ended_at is 'When its report was written';
create index run_ended on reconciliation.run (shard, book, ended_at) where ended_at is not null;
comment on index reconciliation.run_ended is 'The last run of a book';

create table reconciliation.break (
    shard smallint not null default 0,
    id uuid not null,
    book integer not null,
    key bytea not null check (octet_length(key) = 32),
    class text not null check (class ~ '^R([1-9]|1[0-2])$'),
    sub_class text not null check (sub_class <> ''),
    severity text not null check (severity in ('low', 'medium', 'high', 'critical')),
    severity_least text not null check (severity_least in ('low', 'medium', 'high', 'critical')),
    subject_kind text not null check (subject_kind <> ''),
    subject text not null,
    amount bigint,
    currency text check (octet_length(currency) = 3),
    detail text not null,
    state text not null default 'open' check (state in ('open', 'assigned', 'resolved', 'written_off')),
    assignee text check (length(assignee) between 1 and 200),
    resolution text,
    first_run uuid not null,
    last_run uuid not null,
    seen bigint not null default 1 check (seen > 0),
    first_seen_at timestamptz not null default now(),
    last_seen_at timestamptz not null default now(),
    healed_at timestamptz,
    changed_at timestamptz not null default now(),
    primary key (shard, id),
    unique (shard, book, key),
    check ((state = 'assigned') <= (assignee is not null)),
    check ((state in ('resolved', 'written_off')) = (resolution is not null))
);
comment on table reconciliation.break is 'What does not agree: one row for each, whatever the number of runs that found it';
comment on column reconciliation.break.shard is 'Shard of the book';
comment on column reconciliation.break.id is 'Name of the break';
comment on column reconciliation.break.book is 'The book';
comment on column reconciliation.break.key is 'SHA-256 of class, sub-class and subject: another run finds the same break by it';
comment on column reconciliation.break.class is 'The check, R1 to R12';
comment on column reconciliation.break.sub_class is 'What exactly does not agree';
comment on column reconciliation.break.severity is 'By class, amount and age, as of the last run';
comment on column reconciliation.break.severity_least is 'The severity that its class has whatever the amount and age';
comment on column reconciliation.break.subject_kind is 'What it is about: account, transaction, leaf, statement_line and so on';
comment on column reconciliation.break.subject is 'The name of that';
comment on column reconciliation.break.amount is 'The difference, in minor units';
comment on column reconciliation.break.currency is 'ISO 4217';
comment on column reconciliation.break.detail is 'The difference in words';
comment on column reconciliation.break.state is 'open, assigned, resolved, written_off';
comment on column reconciliation.break.assignee is 'Who looks after it';
comment on column reconciliation.break.resolution is 'Why it was closed';
comment on column reconciliation.break.first_run is 'The run that found it first';
comment on column reconciliation.break.last_run is 'The last run that found it';
comment on column reconciliation.break.seen is 'How many runs found it';
comment on column reconciliation.break.first_seen_at is 'Its age counts from here';
comment on column reconciliation.break.last_seen_at is 'When it was found last';
comment on column reconciliation.break.healed_at is 'When a run repaired it';
comment on column reconciliation.break.changed_at is 'When its state changed last';
create index break_open on reconciliation.break (shard, book, class, id) where state in ('open', 'assigned');
comment on index reconciliation.break_open is 'What is left to be done';

create table reconciliation.break_change (
    shard smallint not null default 0,
    break_id uuid not null,
    number integer not null check (number > 0),
    from_state text check (from_state in ('open', 'assigned', 'resolved', 'written_off')),
    to_state text not null check (to_state in ('open', 'assigned', 'resolved', 'written_off')),
    who text not null check (length(who) between 1 and 200),
    why text not null check (length(why) between 1 and 2000),
    changed_at timestamptz not null default clock_timestamp(),
    primary key (shard, break_id, number)
);
comment on table reconciliation.break_change is 'The life of each break: every change of state with who, when and why';
comment on column reconciliation.break_change.shard is 'Shard of the break';
comment on column reconciliation.break_change.break_id is 'The break';
comment on column reconciliation.break_change.number is 'The change''s place in the break''s life, from 1';
comment on column reconciliation.break_change.from_state is 'The state before; null at the beginning';
comment on column reconciliation.break_change.to_state is 'The state after';
comment on column reconciliation.break_change.who is 'A user''s id, or the run that did it';
comment on column reconciliation.break_change.why is 'The reason given';
comment on column reconciliation.break_change.changed_at is 'When';

create table reconciliation.run_break (
    shard smallint not null default 0,
    run_id uuid not null,
    break_id uuid not null,
    is_new boolean not null,
    is_carried boolean not null,
    amount bigint,
    primary key (shard, run_id, break_id)
);
comment on table reconciliation.run_break is 'What each run found or carried forward: R12 holds the breaks of today against it';
comment on column reconciliation.run_break.shard is 'Shard of the run';
comment on column reconciliation.run_break.run_id is 'The run';
comment on column reconciliation.run_break.break_id is 'The break';
comment on column reconciliation.run_break.is_new is 'Whether this run found it first, or again after it was closed';
comment on column reconciliation.run_break.is_carried is 'Whether it was open, and this run did not find it';
comment on column reconciliation.run_break.amount is 'The difference that the run found, in minor units';

create table reconciliation.clearing_account (
    shard smallint not null default 0,
    book integer not null,
    account_id uuid not null,
    settles_within interval not null check (settles_within > interval '0'),
    declared_at timestamptz not null default now(),
    primary key (shard, book, account_id)
);
comment on table reconciliation.clearing_account is 'Accounts that money only passes through: R9 holds them to nothing for each correlation id';
comment on column reconciliation.clearing_account.shard is 'Shard of the book';
comment on column reconciliation.clearing_account.book is 'The book';
comment on column reconciliation.clearing_account.account_id is 'The account';
comment on column reconciliation.clearing_account.settles_within is 'How long after its last entry a correlation id may still be open';
comment on column reconciliation.clearing_account.declared_at is 'When it was declared';

create table reconciliation.statement (
    shard smallint not null default 0,
    id uuid not null,
    book integer not null,
    digest bytea not null check (octet_length(digest) = 32),
    name text not null check (length(name) between 1 and 200),
    account_id uuid not null,
    currency text not null check (octet_length(currency) = 3),
    period_from date not null,
    period_to date not null,
    opening bigint not null,
    closing bigint not null,
    lines integer not null default 0 check (lines >= 0),
    tolerance_days smallint not null default 3 check (tolerance_days between 0 and 31),
    tolerance_amount bigint not null default 0 check (tolerance_amount >= 0),
    imported_by text not null check (length(imported_by) between 1 and 200),
    imported_at timestamptz not null default now(),
    matched_at timestamptz,
    matched_lines integer check (matched_lines between 0 and lines),
    primary key (shard, id),
    unique (shard, book, account_id, digest),
    check (period_from <= period_to)
);
comment on table reconciliation.statement is 'What somebody else says of an account over a time';
comment on column reconciliation.statement.shard is 'Shard of the book';
comment on column reconciliation.statement.id is 'Name of the statement';
comment on column reconciliation.statement.book is 'The book';
comment on column reconciliation.statement.digest is 'SHA-256 of the file: the same one is imported once';
comment on column reconciliation.statement.name is 'What people call it';
comment on column reconciliation.statement.account_id is 'The ledger account that it is about';
comment on column reconciliation.statement.currency is 'ISO 4217, of the account';
comment on column reconciliation.statement.period_from is 'First day, UTC';
comment on column reconciliation.statement.period_to is 'Last day, UTC';
comment on column reconciliation.statement.opening is 'Balance before the first day, in minor units';
comment on column reconciliation.statement.closing is 'Balance after the last day, in minor units';
comment on column reconciliation.statement.lines is 'How many lines it has';
comment on column reconciliation.statement.tolerance_days is 'How many days a line and its entry may be apart';
comment on column reconciliation.statement.tolerance_amount is 'How many minor units a line and its entry may be apart';
comment on column reconciliation.statement.imported_by is 'Who brought it';
comment on column reconciliation.statement.imported_at is 'When';
comment on column reconciliation.statement.matched_at is 'When it was matched last; null: not yet';
comment on column reconciliation.statement.matched_lines is 'How many of its lines are matched';

create table reconciliation.statement_line (
    shard smallint not null default 0,
    statement_id uuid not null,
    line integer not null check (line > 0),
    booked_on date not null,
    amount bigint not null,
    currency text not null check (octet_length(currency) = 3),
    reference text check (length(reference) between 1 and 200),
    external_id text check (length(external_id) between 1 and 200),
    description text check (length(description) between 1 and 500),
    primary key (shard, statement_id, line)
);
comment on table reconciliation.statement_line is 'Lines of the statements';
comment on column reconciliation.statement_line.shard is 'Shard of the statement';
comment on column reconciliation.statement_line.statement_id is 'The statement';
comment on column reconciliation.statement_line.line is 'Line of the file, from 1 for the header';
comment on column reconciliation.statement_line.booked_on is 'The day, UTC';
comment on column reconciliation.statement_line.amount is 'Minor units; above zero raises the account''s balance';
comment on column reconciliation.statement_line.currency is 'ISO 4217';
comment on column reconciliation.statement_line.reference is 'Our reference, as they know it';
comment on column reconciliation.statement_line.external_id is 'Our transaction''s id if they carry it, else a name of their own';
comment on column reconciliation.statement_line.description is 'Their words';

create table reconciliation.match (
    shard smallint not null default 0,
    statement_id uuid not null,
    line integer not null,
    seq bigint not null check (seq >= 0),
    shape text not null check (shape in ('1:1', '1:n', 'n:1')),
    matched_by text not null check (matched_by in ('id', 'reference', 'amount_date')),
    confidence smallint not null check (confidence between 1 and 100),
    primary key (shard, statement_id, line, seq)
);
comment on table reconciliation.match is 'Which line of a statement is which transaction of ours';
comment on column reconciliation.match.shard is 'Shard of the statement';
comment on column reconciliation.match.statement_id is 'The statement';
comment on column reconciliation.match.line is 'The line';
comment on column reconciliation.match.seq is 'The transaction''s place in the book';
comment on column reconciliation.match.shape is '1:1; 1:n: one line, several transactions; n:1: several lines, one transaction';
comment on column reconciliation.match.matched_by is 'The key that they share: id, reference, or amount and date';
comment on column reconciliation.match.confidence is 'Percent';
create index match_seq on reconciliation.match (shard, seq);
comment on index reconciliation.match_seq is 'Whether a transaction is on another statement already';
create index break_statement on reconciliation.break (shard, book, split_part(subject, '/', 1)) where class = 'R10';
comment on index reconciliation.break_statement is 'What a statement does not agree with';

-- Erasing a person takes the words and the salt of their transactions; the hash in the log then tells nothing.
alter table app.transaction alter column metadata_salt drop not null;
comment on column app.transaction.metadata_salt is 'Random bytes hashed with the metadata; null once the person was erased';
alter table app.account_user add column erased_at timestamptz;
comment on column app.account_user.erased_at is 'When everything personal was removed; null: it was not';

-- What was said of a break stays said.
create trigger append_only before update or delete or truncate on reconciliation.break_change
    for each statement execute function ledger.refuse_change();

-- The service's role, where there is one, gets what it needs on these tables too.
do $$
begin
    if to_regprocedure('ledger.grant_service()') is not null then
        perform ledger.grant_service();
    end if;
end
$$;
