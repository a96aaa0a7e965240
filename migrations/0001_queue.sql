-- The job queue: live jobs in one narrow hot table, finished ones in a history by day, dead ones apart, and a lease for each worker process.

create schema queue;
comment on schema queue is 'The durable job queue: live jobs, their history, dead letters and the leases of worker processes';

create table queue.job (
    -- What a claim changes stands first and what it leaves alone last: the write-ahead log then holds only the changed front of the row.
    shard smallint not null default 0,
    state smallint not null check (state between 0 and 3),
    attempt smallint not null default 0 check (attempt >= 0),
    crashes smallint not null default 0 check (crashes >= 0),
    epoch integer not null default 0,
    priority smallint not null check (priority between 0 and 99),
    max_attempts smallint not null check (max_attempts > 0),
    claimed_at timestamptz,
    owner uuid,
    id uuid not null,
    run_at timestamptz not null,
    created_at timestamptz not null,
    on_trial boolean not null default false,
    unique_until_started boolean not null default false,
    queue text not null check (queue <> ''),
    kind text not null check (kind <> ''),
    unique_key bytea,
    actor text,
    trace text,
    progress json,
    errors jsonb,
    payload json not null,
    -- A claim adds a second entry for each job, beside the first: without room for it, every page is split or searched.
    primary key (shard, id) with (fillfactor = 45),
    constraint job_running_has_owner check ((state = 2) = (owner is not null))
) with (
    -- Room on each page for the new version that a claim writes.
    fillfactor = 60,
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
comment on column queue.job.state is '0 scheduled (not due), 1 ready, 2 running (claimed by owner), 3 waiting (for other jobs)';
comment on column queue.job.attempt is 'Attempts begun, the running one included; handing back, snoozing and a crash of the process take theirs back';
comment on column queue.job.crashes is 'Processes that died with this job in hand; at 3 the job is poison and goes to queue.dead_job';
comment on column queue.job.epoch is 'Fencing token, raised by each claim and rescue: who settles with an older one is refused';
comment on column queue.job.priority is '0 to 99, the smaller runs first';
comment on column queue.job.max_attempts is 'Attempts after which a failing job goes to queue.dead_job';
comment on column queue.job.claimed_at is 'When the running attempt was claimed';
comment on column queue.job.owner is 'The process (queue.process.id) that runs the job; null unless running';
comment on column queue.job.id is 'UUIDv7, or any UUID that the enqueuer chose';
comment on column queue.job.run_at is 'When the job is or was due; the order within a priority';
comment on column queue.job.created_at is 'When the job was enqueued';
comment on column queue.job.on_trial is 'A job that was in hand at a crash has begun to run again: if this process dies too, it counts';
comment on column queue.job.unique_until_started is 'The claim drops unique_key, so that the next job of the same key may be enqueued while this one runs';
comment on column queue.job.queue is 'The queue it is claimed from';
comment on column queue.job.kind is 'The name of its type of job';
comment on column queue.job.unique_key is 'Hash of kind and key; no two live jobs share one';
comment on column queue.job.actor is 'Who caused the job, as the enqueuer says';
comment on column queue.job.trace is 'W3C traceparent of the request that caused the job';
comment on column queue.job.progress is 'What the running job last reported';
comment on column queue.job.errors is 'One object for each failed attempt: attempt, error, chain, at, process';
comment on column queue.job.payload is 'The job itself, as its type serialises';

-- Index conditions name the state as a number because a partial index is only used where the statement repeats them literally.
create index job_claim on queue.job (shard, queue, priority, run_at, id) where state = 1;
comment on index queue.job_claim is 'Ready jobs in the order in which they are claimed';
create index job_due on queue.job (shard, run_at) where state = 0;
comment on index queue.job_due is 'Scheduled jobs in the order in which they come due';
create unique index job_unique on queue.job (shard, unique_key) where unique_key is not null;
comment on index queue.job_unique is 'No two live jobs of one unique key';

create table queue.job_history (
    shard smallint not null default 0,
    state smallint not null check (state between 4 and 6),
    attempt smallint not null,
    crashes smallint not null,
    epoch integer not null,
    priority smallint not null,
    max_attempts smallint not null,
    finished_at timestamptz not null,
    started_at timestamptz,
    process uuid,
    id uuid not null,
    run_at timestamptz not null,
    created_at timestamptz not null,
    queue text not null,
    kind text not null,
    actor text,
    trace text,
    progress json,
    errors jsonb,
    result json,
    payload json not null,
    primary key (shard, id, finished_at)
) partition by range (finished_at);
comment on table queue.job_history is 'Jobs that ended, by day (UTC) of their end; old days are dropped whole';
comment on column queue.job_history.shard is 'Which shard the job lived in';
comment on column queue.job_history.state is '4 succeeded, 5 discarded (its own decision), 6 cancelled';
comment on column queue.job_history.attempt is 'Attempts it took';
comment on column queue.job_history.crashes is 'Processes that died with the job in hand';
comment on column queue.job_history.epoch is 'The fencing token it was settled with';
comment on column queue.job_history.priority is '0 to 99, the smaller runs first';
comment on column queue.job_history.max_attempts is 'Attempts it would have had';
comment on column queue.job_history.finished_at is 'When it was settled';
comment on column queue.job_history.started_at is 'When its last attempt was claimed';
comment on column queue.job_history.process is 'The process that ran the last attempt';
comment on column queue.job_history.id is 'The job''s id';
comment on column queue.job_history.run_at is 'When its last attempt was due';
comment on column queue.job_history.created_at is 'When it was enqueued';
comment on column queue.job_history.queue is 'Its queue';
comment on column queue.job_history.kind is 'Its kind';
comment on column queue.job_history.actor is 'Who caused it';
comment on column queue.job_history.trace is 'W3C traceparent of the request that caused it';
comment on column queue.job_history.progress is 'What it last reported';
comment on column queue.job_history.errors is 'One object for each failed attempt: attempt, error, chain, at, process';
comment on column queue.job_history.result is 'What it returned, if its kind stores a result';
comment on column queue.job_history.payload is 'The job itself';

-- A day without a partition of its own lands here, so that settling never fails; the worker makes days ahead and moves such rows out.
create table queue.job_history_default partition of queue.job_history default;
comment on table queue.job_history_default is 'Ended jobs of days that have no partition yet';

do $$
declare
    day date;
begin
    for day in select generate_series((now() at time zone 'utc')::date, (now() at time zone 'utc')::date + 7, '1 day')::date
    loop
        execute format(
            'create table queue.%I partition of queue.job_history for values from (%L) to (%L)',
            'job_history_' || to_char(day, 'YYYYMMDD'), day || ' 00:00:00+00', day + 1 || ' 00:00:00+00'
        );
    end loop;
end
$$;

create table queue.dead_job (
    shard smallint not null default 0,
    attempt smallint not null,
    crashes smallint not null,
    epoch integer not null,
    priority smallint not null,
    max_attempts smallint not null,
    died_at timestamptz not null,
    started_at timestamptz,
    process uuid,
    id uuid not null,
    run_at timestamptz not null,
    created_at timestamptz not null,
    reason text not null check (reason in ('exhausted', 'poison', 'unknown_kind', 'undecodable')),
    queue text not null,
    kind text not null,
    actor text,
    trace text,
    progress json,
    errors jsonb,
    payload json not null,
    primary key (shard, id)
);
comment on table queue.dead_job is 'Jobs that will not be tried again by themselves; kept until somebody decides';
comment on column queue.dead_job.shard is 'Which shard the job lived in';
comment on column queue.dead_job.attempt is 'Attempts it had';
comment on column queue.dead_job.crashes is 'Processes that died with the job in hand';
comment on column queue.dead_job.epoch is 'The last fencing token';
comment on column queue.dead_job.priority is '0 to 99, the smaller runs first';
comment on column queue.dead_job.max_attempts is 'Attempts it was allowed';
comment on column queue.dead_job.died_at is 'When it was given up';
comment on column queue.dead_job.started_at is 'When its last attempt was claimed';
comment on column queue.dead_job.process is 'The process that ran the last attempt';
comment on column queue.dead_job.id is 'The job''s id';
comment on column queue.dead_job.run_at is 'When its last attempt was due';
comment on column queue.dead_job.created_at is 'When it was enqueued';
comment on column queue.dead_job.reason is 'exhausted (attempts used up), poison (3 crashes), unknown_kind, undecodable (its payload does not parse)';
comment on column queue.dead_job.queue is 'Its queue';
comment on column queue.dead_job.kind is 'Its kind';
comment on column queue.dead_job.actor is 'Who caused it';
comment on column queue.dead_job.trace is 'W3C traceparent of the request that caused it';
comment on column queue.dead_job.progress is 'What it last reported';
comment on column queue.dead_job.errors is 'One object for each failed attempt: attempt, error, chain, at, process';
comment on column queue.dead_job.payload is 'The job itself';

create table queue.process (
    shard smallint not null default 0,
    id uuid not null,
    pid integer not null,
    host text not null,
    queues text[] not null,
    started_at timestamptz not null,
    heartbeat_at timestamptz not null,
    expires_at timestamptz not null,
    lost_at timestamptz,
    primary key (shard, id)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);
comment on table queue.process is 'One lease for each live worker process; who holds jobs under a lease that ran out loses them';
comment on column queue.process.shard is 'Which shard the process serves';
comment on column queue.process.id is 'Unique to one boot of one process, never used again';
comment on column queue.process.pid is 'Its process id on its host';
comment on column queue.process.host is 'The machine it runs on';
comment on column queue.process.queues is 'The queues it serves';
comment on column queue.process.started_at is 'When it registered';
comment on column queue.process.heartbeat_at is 'When it last renewed its lease';
comment on column queue.process.expires_at is 'When its lease runs out, by the clock of the database';
comment on column queue.process.lost_at is 'When somebody declared it lost; it can neither renew nor claim any more';
