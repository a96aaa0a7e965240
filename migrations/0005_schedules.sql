-- Schedules: what is enqueued again and again, and a row for each tick, whose key makes it fire once whoever fires it.

create table queue.schedule (
    name text not null primary key check (length(name) between 1 and 200),
    shard smallint not null default 0,
    kind text not null check (kind <> ''),
    queue text not null check (queue <> ''),
    priority smallint not null check (priority between 0 and 99),
    max_attempts smallint not null check (max_attempts > 0),
    payload json not null,
    version smallint not null check (version > 0),
    spec text not null,
    time_zone text not null default 'UTC',
    catch_up text not null check (catch_up in ('none', 'last', 'all')),
    catch_up_max smallint not null check (catch_up_max between 1 and 1000),
    overlap text not null check (overlap in ('allow', 'skip', 'replace')),
    is_paused boolean not null default false,
    is_declared boolean not null,
    is_overridden boolean not null default false,
    next_at timestamptz,
    retry_at timestamptz,
    error text,
    last_tick_at timestamptz,
    last_job_id uuid,
    declared_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint schedule_catch_up_max check (catch_up = 'all' or catch_up_max = 1)
);
comment on table queue.schedule is 'What is enqueued again and again; small, and the same on every node of a distributed database';
comment on column queue.schedule.name is 'Its name; the jobs'' actor is schedule:<name>';
comment on column queue.schedule.shard is 'Where its jobs and ticks live; 0 on a single PostgreSQL';
comment on column queue.schedule.kind is 'The kind of its jobs';
comment on column queue.schedule.queue is 'The queue of its jobs';
comment on column queue.schedule.priority is 'The priority of its jobs: 0 to 99, the smaller runs first';
comment on column queue.schedule.max_attempts is 'Attempts that its jobs have';
comment on column queue.schedule.payload is 'The job itself, the same for each tick';
comment on column queue.schedule.version is 'The version of the kind''s payload that payload has';
comment on column queue.schedule.spec is 'When: five or six fields of cron, @every 5m, or a word such as @daily';
comment on column queue.schedule.time_zone is 'The IANA name of the zone that the fields of cron are local times of';
comment on column queue.schedule.catch_up is 'What becomes of ticks that nobody fired in time: none, last (the newest), all (the newest catch_up_max)';
comment on column queue.schedule.catch_up_max is 'How many ticks that are due at once are fired; 1 unless catch_up is all';
comment on column queue.schedule.overlap is 'While its last job is live, a tick makes another (allow), makes none (skip), or takes the place of one that does not run (replace)';
comment on column queue.schedule.is_paused is 'Does not tick; resuming goes on with the next tick from then';
comment on column queue.schedule.is_declared is 'Comes from code, rather than having been made at run time';
comment on column queue.schedule.is_overridden is 'Was changed at run time: what the code declares is not applied any more';
comment on column queue.schedule.next_at is 'The next tick, or the oldest that is due; null when there is none any more';
comment on column queue.schedule.retry_at is 'Left alone until then, because firing it failed';
comment on column queue.schedule.error is 'Why firing it failed last; null when it did not';
comment on column queue.schedule.last_tick_at is 'The last tick that made a job';
comment on column queue.schedule.last_job_id is 'Its last job, also one that was run by hand';
comment on column queue.schedule.declared_at is 'When a starting process last declared something new about it';
comment on column queue.schedule.created_at is 'When it was made';
comment on column queue.schedule.updated_at is 'When its definition last changed, or it was paused or resumed';

create index schedule_due on queue.schedule (shard, greatest(next_at, retry_at)) where not is_paused and next_at is not null;
comment on index queue.schedule_due is 'Schedules in the order in which they are to be looked at';

create table queue.schedule_tick (
    shard smallint not null default 0,
    name text not null,
    tick_at timestamptz not null,
    outcome text not null check (outcome in ('fired', 'skipped', 'missed')),
    through_at timestamptz,
    job_id uuid,
    fired_at timestamptz not null default clock_timestamp(),
    primary key (shard, name, tick_at),
    constraint schedule_tick_through_at check ((outcome = 'missed') = (through_at is not null)),
    constraint schedule_tick_job_id check ((outcome = 'fired') = (job_id is not null))
);
comment on table queue.schedule_tick is 'What became of each tick; its key lets a tick make one job, whoever fires it. Kept as long as the job history';
comment on column queue.schedule_tick.shard is 'The shard of its schedule''s jobs';
comment on column queue.schedule_tick.name is 'The schedule (queue.schedule.name)';
comment on column queue.schedule_tick.tick_at is 'The tick; of a run of missed ticks, the oldest';
comment on column queue.schedule_tick.outcome is 'fired (made a job), skipped (its overlap policy), missed (a run of ticks that its catch-up policy leaves out)';
comment on column queue.schedule_tick.through_at is 'The newest tick of a run of missed ones';
comment on column queue.schedule_tick.job_id is 'The job that it made';
comment on column queue.schedule_tick.fired_at is 'When that was decided';

create index schedule_tick_age on queue.schedule_tick (shard, fired_at);
comment on index queue.schedule_tick_age is 'Ticks by age, to delete old ones';
