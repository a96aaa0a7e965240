-- What a job enqueued is found by it: the children of a job are listed without reading every job.
set local lock_timeout = '5s';

-- Only jobs that have a parent are in these, and a parent never changes: neither a claim nor most enqueues write them.
create index job_parent on queue.job (shard, parent, id) where parent is not null;
comment on index queue.job_parent is 'Live jobs by the job that enqueued them';
create index dead_job_parent on queue.dead_job (shard, parent, id) where parent is not null;
comment on index queue.dead_job_parent is 'Dead letters by the job that enqueued them';
create index job_history_parent on queue.job_history (shard, parent, id) where parent is not null;
comment on index queue.job_history_parent is 'Ended jobs by the job that enqueued them';

comment on column queue.schedule.overlap is 'While its last job is live, a tick makes another (allow), makes none (skip), or cancels that one and makes another (replace)';
