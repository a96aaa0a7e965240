-- What a job's author needs kept with the job: the version of its payload, and where its next step begins.

-- Fails instead of standing in everybody's way; neither column rewrites a table.
set local lock_timeout = '5s';

alter table queue.job
    add column version smallint not null default 1 check (version > 0),
    add column cursor json;
comment on column queue.job.version is 'The version of the kind''s payload that payload has';
comment on column queue.job.cursor is 'Where the job''s next step begins, committed with the step before; kept over retries and rescues';

alter table queue.job_history add column version smallint not null default 1;
comment on column queue.job_history.version is 'The version of the kind''s payload that payload has';

alter table queue.dead_job
    add column version smallint not null default 1,
    add column cursor json;
comment on column queue.dead_job.version is 'The version of the kind''s payload that payload has';
comment on column queue.dead_job.cursor is 'Where its next step would have begun; who brings the job back brings this back';
