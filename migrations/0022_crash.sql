-- How worker processes ended that nobody had asked to, or that had to be killed, with what they were at work on.
set local lock_timeout = '5s';

create table queue.crash (
    shard smallint not null default 0,
    id uuid not null,
    at timestamptz not null default clock_timestamp(),
    host text not null,
    slot text not null,
    pid integer not null,
    process uuid,
    cause text not null check (cause in ('died', 'silent', 'overdue')),
    exit_code integer,
    signal integer,
    uptime_ms bigint not null check (uptime_ms >= 0),
    rss_bytes_max bigint check (rss_bytes_max >= 0),
    jobs uuid[] not null,
    kinds text[] not null,
    jobs_in_all bigint not null check (jobs_in_all >= 0),
    last_lines text[] not null,
    primary key (shard, id),
    check (cardinality(jobs) = cardinality(kinds))
);
comment on table queue.crash is 'Crash reports of worker processes, written by their supervisors; each new one removes what is older than 30 days or not among the newest 1,000';
comment on column queue.crash.shard is 'Which shard the process served';
comment on column queue.crash.id is 'UUIDv7';
comment on column queue.crash.at is 'When it was reported, by the clock of the database';
comment on column queue.crash.host is 'The machine it ran on';
comment on column queue.crash.slot is 'Which of its supervisor''s children it was, such as worker.1';
comment on column queue.crash.pid is 'Its process id on its host';
comment on column queue.crash.process is 'Its lease (queue.process.id); null if it had none, or somebody else had declared it lost before';
comment on column queue.crash.cause is 'died: by itself or by a signal of others; silent: killed because it gave no sign of life; overdue: killed because it did not stop in time';
comment on column queue.crash.exit_code is 'Its exit code; null if a signal ended it';
comment on column queue.crash.signal is 'The signal that ended it; null if none did';
comment on column queue.crash.uptime_ms is 'How long it ran, in milliseconds';
comment on column queue.crash.rss_bytes_max is 'The most memory that it was seen to have resident, in bytes; null if it ended before it was looked at';
comment on column queue.crash.jobs is 'Jobs that it had in hand, 100 at most';
comment on column queue.crash.kinds is 'The kind of each of these jobs';
comment on column queue.crash.jobs_in_all is 'How many jobs it had in hand';
comment on column queue.crash.last_lines is 'The last lines that it wrote to its standard error, 20 at most, each cut after 500 characters';
