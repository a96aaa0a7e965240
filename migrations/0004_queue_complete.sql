-- The queue grows up: limits and sequences, flows, uniqueness for a period, expiry, pausing, cancelling, counters and an audit.
-- The hot table is laid out anew, so that what a claim changes still stands together; its few live rows are copied.

set local lock_timeout = '5s';

alter table queue.job rename to job_before;
alter table queue.job_before rename constraint job_pkey to job_before_pkey;
alter index queue.job_claim rename to job_before_claim;
alter index queue.job_due rename to job_before_due;
alter index queue.job_unique rename to job_before_unique;

create table queue.job (
    -- What a claim changes stands together: the write-ahead log then holds only that part of the row.
    shard smallint not null default 0,
    state smallint not null check (state in (0, 1, 3)),
    crashes smallint not null default 0 check (crashes >= 0),
    priority smallint not null check (priority between 0 and 99),
    max_attempts smallint not null check (max_attempts > 0),
    weight smallint not null default 1 check (weight > 0),
    waits_for smallint not null default 0 check (waits_for >= -1),
    on_trial boolean not null default false,
    held smallint not null default 0 check (held between 0 and 3),
    attempt smallint not null default 0 check (attempt >= 0),
    epoch integer not null default 0,
    claimed_at timestamptz,
    owner uuid,
    id uuid not null,
    run_at timestamptz not null,
    created_at timestamptz not null,
    unique_until_started boolean not null default false,
    is_sequence boolean not null default false,
    has_dependants boolean not null default false,
    queue text not null check (queue <> ''),
    kind text not null check (kind <> ''),
    unique_key bytea,
    limit_name text,
    limit_key text,
    tags text[],
    actor text,
    trace text,
    parent uuid,
    expires_at timestamptz,
    cancelled_by text,
    progress json,
    errors jsonb,
    payload json not null,
    primary key (shard, id),
    constraint job_running_was_claimable check (owner is null or state in (1, 3)),
    constraint job_limit_is_whole check ((limit_name is null) = (limit_key is null)),
    constraint job_sequence_has_limit check (not is_sequence or limit_name is not null)
) with (
    -- Room on each page for the new version that a claim writes: it then touches no index (a heap-only tuple).
    fillfactor = 45,
    -- Every row dies within seconds: vacuum by count, without pausing, and never take the lock that shortens the file.
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_insert_scale_factor = 0,
    autovacuum_vacuum_insert_threshold = 50000,
    autovacuum_vacuum_cost_delay = 0,
    vacuum_truncate = off
);
comment on table queue.job is 'Live jobs only: a job that ends moves to queue.job_history or queue.dead_job';
comment on column queue.job.shard is 'Which shard the job lives in; 0 on a single PostgreSQL';
comment on column queue.job.state is '0 scheduled (not due), 1 ready, 3 waiting (for other jobs, for its limit, or for its kind to be resumed); a job with an owner is running, and keeps the state that it was claimed in, so that a claim changes no index';
comment on column queue.job.attempt is 'Attempts begun, the running one included; handing back, snoozing and a crash of the process take theirs back';
comment on column queue.job.crashes is 'Processes that died with this job in hand; at 3 the job is poison and goes to queue.dead_job';
comment on column queue.job.epoch is 'Fencing token, raised by each claim and rescue: who settles with an older one is refused';
comment on column queue.job.priority is '0 to 99, the smaller runs first';
comment on column queue.job.max_attempts is 'Attempts after which a failing job goes to queue.dead_job';
comment on column queue.job.held is 'What the job takes up while it runs: 1 a place of its queue, 2 a place of its limit key (which a job of a sequence keeps until it ends)';
comment on column queue.job.on_trial is 'A job that was in hand at a crash has begun to run again: if this process dies too, it counts';
comment on column queue.job.claimed_at is 'When the running attempt was claimed';
comment on column queue.job.owner is 'The process (queue.process.id) that runs the job; a job is running while it has one';
comment on column queue.job.id is 'UUIDv7, or any UUID that the enqueuer chose';
comment on column queue.job.run_at is 'When the job is or was due; the order within a priority. Jobs of one statement are a microsecond apart';
comment on column queue.job.created_at is 'When the job was enqueued';
comment on column queue.job.unique_until_started is 'The claim drops unique_key, so that the next job of the same key may be enqueued while this one runs';
comment on column queue.job.is_sequence is 'Jobs of its limit key run one after the other: the next begins when this one has ended, retries included';
comment on column queue.job.has_dependants is 'Other jobs wait for its end (queue.dependency)';
comment on column queue.job.waits_for is 'While waiting: how many other jobs it waits for; 0 for a place of its limit; -1 for its kind to be resumed';
comment on column queue.job.weight is 'How many tokens of its limit''s rate it takes';
comment on column queue.job.queue is 'The queue it is claimed from';
comment on column queue.job.kind is 'The name of its type of job';
comment on column queue.job.unique_key is 'Hash of kind and key; no two live jobs share one';
comment on column queue.job.limit_name is 'The limit that it is under (queue.limit_rule); none for most jobs';
comment on column queue.job.limit_key is 'The key within that limit: a customer, a host, a mailbox';
comment on column queue.job.tags is 'Words to find it by';
comment on column queue.job.actor is 'Who caused the job, as the enqueuer says';
comment on column queue.job.trace is 'W3C traceparent of the request that caused the job';
comment on column queue.job.parent is 'The job that enqueued it';
comment on column queue.job.expires_at is 'A job that has not begun by then is discarded instead of run';
comment on column queue.job.cancelled_by is 'Somebody asked for its end while it ran';
comment on column queue.job.progress is 'What the running job last reported';
comment on column queue.job.errors is 'One object for each failed attempt: attempt, error, chain, at, process';
comment on column queue.job.payload is 'The job itself, as its type serialises';

insert into queue.job (
    shard, state, attempt, crashes, epoch, priority, max_attempts, on_trial, claimed_at, owner, id, run_at, created_at,
    unique_until_started, queue, kind, unique_key, actor, trace, progress, errors, payload
)
select shard, case state when 2 then 1 else state end, attempt, crashes, epoch, priority, max_attempts, on_trial, claimed_at, owner,
       id, run_at, created_at, unique_until_started, queue, kind, unique_key, actor, trace, progress, errors, payload
  from queue.job_before;
drop table queue.job_before;

-- Index conditions name the state as a number because a partial index is only used where the statement repeats them literally.
create index job_claim on queue.job (shard, queue, priority, run_at) where state = 1;
comment on index queue.job_claim is 'Ready jobs in the order in which they are claimed, and those that are running';
create index job_due on queue.job (shard, run_at) where state = 0;
comment on index queue.job_due is 'Scheduled jobs in the order in which they come due';
create unique index job_unique on queue.job (shard, unique_key) where unique_key is not null;
comment on index queue.job_unique is 'No two live jobs of one unique key';
create index job_limited on queue.job (shard, queue, limit_name, limit_key, priority, run_at) where state = 3 and waits_for = 0;
comment on index queue.job_limited is 'Jobs that wait for a place of their limit, by key, in their order';
create index job_paused on queue.job (shard, kind) where state = 3 and waits_for = -1;
comment on index queue.job_paused is 'Jobs that wait for their kind to be resumed';

alter table queue.job_history add column tags text[], add column parent uuid, add column limit_name text, add column limit_key text;
comment on column queue.job_history.tags is 'Words to find it by';
comment on column queue.job_history.parent is 'The job that enqueued it';
comment on column queue.job_history.limit_name is 'The limit that it was under';
comment on column queue.job_history.limit_key is 'The key within that limit';

alter table queue.dead_job add column tags text[], add column parent uuid, add column limit_name text, add column limit_key text,
    add column is_sequence boolean not null default false, add column weight smallint not null default 1;
comment on column queue.dead_job.tags is 'Words to find it by';
comment on column queue.dead_job.parent is 'The job that enqueued it';
comment on column queue.dead_job.limit_name is 'The limit that it was under';
comment on column queue.dead_job.limit_key is 'The key within that limit';
comment on column queue.dead_job.is_sequence is 'Whether it was part of a sequence';
comment on column queue.dead_job.weight is 'How many tokens of its limit''s rate it takes';

create table queue.unique_hold (
    shard smallint not null default 0,
    unique_key bytea not null,
    job uuid not null,
    until timestamptz not null,
    primary key (shard, unique_key)
);
comment on table queue.unique_hold is 'Unique keys that are taken for a period, whether their job still lives or not';
comment on column queue.unique_hold.shard is 'Which shard the job lives in';
comment on column queue.unique_hold.unique_key is 'Hash of kind and key';
comment on column queue.unique_hold.job is 'The job that took the key';
comment on column queue.unique_hold.until is 'When the key is free again';
create index unique_hold_until on queue.unique_hold (shard, until);
comment on index queue.unique_hold_until is 'Periods that are over, to be swept';

create table queue.queue_control (
    shard smallint not null default 0,
    queue text not null,
    paused_at timestamptz,
    paused_by text,
    running_max integer check (running_max >= 0),
    running integer not null default 0 check (running >= 0),
    primary key (shard, queue)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
comment on table queue.queue_control is 'What operators have said about a queue; a queue without a row is neither paused nor limited';
comment on column queue.queue_control.shard is 'Which shard it holds in';
comment on column queue.queue_control.queue is 'The queue';
comment on column queue.queue_control.paused_at is 'Since when nothing is claimed from it; null if it is not paused';
comment on column queue.queue_control.paused_by is 'Who paused it';
comment on column queue.queue_control.running_max is 'How many of its jobs may be claimed at once, over all processes; null for any number';
comment on column queue.queue_control.running is 'How many of its jobs are claimed that count (job.held & 1)';

create table queue.kind_pause (
    shard smallint not null default 0,
    kind text not null,
    paused_at timestamptz not null,
    paused_by text not null,
    primary key (shard, kind)
);
comment on table queue.kind_pause is 'Kinds that are paused: a worker that claims such a job lays it aside (waits_for = -1)';
comment on column queue.kind_pause.shard is 'Which shard it holds in';
comment on column queue.kind_pause.kind is 'The kind';
comment on column queue.kind_pause.paused_at is 'Since when';
comment on column queue.kind_pause.paused_by is 'Who paused it';

create table queue.limit_rule (
    name text primary key,
    running_max integer check (running_max > 0),
    rate_per_s double precision check (rate_per_s > 0),
    burst double precision check (burst >= 1),
    changed_at timestamptz not null,
    changed_by text,
    constraint limit_rule_limits_something check (running_max is not null or rate_per_s is not null),
    constraint limit_rule_burst_needs_rate check ((rate_per_s is null) = (burst is null))
);
comment on table queue.limit_rule is 'Limits by name; each holds for every key of its own';
comment on column queue.limit_rule.name is 'The name that jobs say (NewJob::limit)';
comment on column queue.limit_rule.running_max is 'How many jobs of a key may be claimed at once; null for any number';
comment on column queue.limit_rule.rate_per_s is 'Tokens a second that a key''s bucket gains; null for no rate';
comment on column queue.limit_rule.burst is 'Tokens that a bucket holds at most';
comment on column queue.limit_rule.changed_at is 'When it was last changed';
comment on column queue.limit_rule.changed_by is 'The operator who changed it, after which the code''s own value no longer counts; null for the code''s own';

insert into queue.limit_rule (name, running_max, changed_at) values ('sequence', 1, now());

create table queue.limit_key (
    shard smallint not null default 0,
    name text not null,
    key text not null,
    running integer not null default 0 check (running >= 0),
    tokens double precision,
    refilled_at timestamptz not null,
    primary key (shard, name, key)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);
comment on table queue.limit_key is 'How much of its limit each key takes up now; a key without a row takes up nothing';
comment on column queue.limit_key.shard is 'Which shard the jobs live in';
comment on column queue.limit_key.name is 'The limit';
comment on column queue.limit_key.key is 'The key';
comment on column queue.limit_key.running is 'How many of its jobs hold a place (job.held & 2)';
comment on column queue.limit_key.tokens is 'Tokens in its bucket at refilled_at; null for a full bucket';
comment on column queue.limit_key.refilled_at is 'When tokens were last counted';

create table queue.dependency (
    shard smallint not null default 0,
    on_job uuid not null,
    job uuid not null,
    policy smallint not null check (policy between 0 and 1),
    primary key (shard, on_job, job)
);
comment on table queue.dependency is 'Which waiting jobs wait for which jobs';
comment on column queue.dependency.shard is 'Which shard both jobs live in';
comment on column queue.dependency.on_job is 'The job that is waited for';
comment on column queue.dependency.job is 'The job that waits';
comment on column queue.dependency.policy is 'If on_job ends without success: 0 the waiting job is cancelled, 1 it runs all the same';
create index dependency_job on queue.dependency (shard, job);
comment on index queue.dependency_job is 'What a job still waits for';

create table queue.ended (
    shard smallint not null default 0,
    id uuid not null,
    state smallint not null check (state between 4 and 7),
    primary key (shard, id)
);
comment on table queue.ended is 'Jobs that ended while others waited for them, until those have been told';
comment on column queue.ended.shard is 'Which shard the job lived in';
comment on column queue.ended.id is 'The job';
comment on column queue.ended.state is 'How it ended: 4 succeeded, 5 discarded, 6 cancelled, 7 dead';

create table queue.cancel_request (
    shard smallint not null default 0,
    process uuid not null,
    job uuid not null,
    primary key (shard, process, job)
);
comment on table queue.cancel_request is 'Tells a process that a job which it runs is to end; the process takes it away once it has heard';
comment on column queue.cancel_request.shard is 'Which shard the job lives in';
comment on column queue.cancel_request.process is 'The process that runs the job';
comment on column queue.cancel_request.job is 'The job';

create table queue.counter (
    shard smallint not null default 0,
    queue text not null,
    scheduled bigint not null default 0,
    ready bigint not null default 0,
    running bigint not null default 0,
    waiting bigint not null default 0,
    succeeded bigint not null default 0,
    discarded bigint not null default 0,
    cancelled bigint not null default 0,
    dead bigint not null default 0,
    primary key (shard, queue)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);
comment on table queue.counter is 'How many jobs of a queue are in each state, without the changes that still lie in queue.counter_change';
comment on column queue.counter.shard is 'Which shard the jobs live in';
comment on column queue.counter.queue is 'The queue';
comment on column queue.counter.scheduled is 'Jobs that are not due';
comment on column queue.counter.ready is 'Jobs that may be claimed';
comment on column queue.counter.running is 'Jobs that are claimed';
comment on column queue.counter.waiting is 'Jobs that wait for others, for a limit, or for their kind to be resumed';
comment on column queue.counter.succeeded is 'Jobs that ever succeeded';
comment on column queue.counter.discarded is 'Jobs that were ever discarded';
comment on column queue.counter.cancelled is 'Jobs that were ever cancelled';
comment on column queue.counter.dead is 'Jobs that ever died; redriving one takes none away';

create table queue.counter_change (
    shard smallint not null default 0,
    queue text not null,
    scheduled integer,
    ready integer,
    running integer,
    waiting integer,
    succeeded integer,
    discarded integer,
    cancelled integer,
    dead integer
) with (
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_insert_scale_factor = 0,
    autovacuum_vacuum_insert_threshold = 50000,
    autovacuum_vacuum_cost_delay = 0
);
comment on table queue.counter_change is 'Changes of queue.counter, a row for each statement and queue: writers never wait for each other. Upkeep folds them in';
comment on column queue.counter_change.shard is 'Which shard the jobs live in';
comment on column queue.counter_change.queue is 'The queue';
comment on column queue.counter_change.scheduled is 'How many more jobs; negative for fewer, null for no change';
comment on column queue.counter_change.ready is 'How many more jobs; negative for fewer, null for no change';
comment on column queue.counter_change.running is 'How many more jobs; negative for fewer, null for no change';
comment on column queue.counter_change.waiting is 'How many more jobs; negative for fewer, null for no change';
comment on column queue.counter_change.succeeded is 'How many more jobs; negative for fewer, null for no change';
comment on column queue.counter_change.discarded is 'How many more jobs; negative for fewer, null for no change';
comment on column queue.counter_change.cancelled is 'How many more jobs; negative for fewer, null for no change';
comment on column queue.counter_change.dead is 'How many more jobs; negative for fewer, null for no change';

insert into queue.counter_change (shard, queue, scheduled, ready, running, waiting)
select shard, queue, count(*) filter (where state = 0), count(*) filter (where state = 1 and owner is null),
       count(*) filter (where owner is not null), count(*) filter (where state = 3 and owner is null)
  from queue.job
 group by shard, queue;
insert into queue.counter_change (shard, queue, succeeded, discarded, cancelled)
select shard, queue, count(*) filter (where state = 4), count(*) filter (where state = 5), count(*) filter (where state = 6)
  from queue.job_history
 group by shard, queue;
insert into queue.counter_change (shard, queue, dead)
select shard, queue, count(*) from queue.dead_job group by shard, queue;

create table queue.audit (
    shard smallint not null default 0,
    id uuid not null,
    at timestamptz not null,
    actor text not null check (actor <> ''),
    action text not null check (action <> ''),
    target jsonb not null,
    jobs bigint not null default 0,
    primary key (shard, id)
);
comment on table queue.audit is 'What operators did to the queue: who, when, what';
comment on column queue.audit.shard is 'Which shard it was done in';
comment on column queue.audit.id is 'UUIDv7';
comment on column queue.audit.at is 'When, by the database''s clock';
comment on column queue.audit.actor is 'Who';
comment on column queue.audit.action is 'What: cancel, retry, reschedule, prioritise, delete, redrive, pause, resume, limit, …';
comment on column queue.audit.target is 'To what: the filter, queue, kind or limit, with the values that were set';
comment on column queue.audit.jobs is 'How many jobs it touched';
