-- What operators need to know about a job that does not run, and what a dead letter needs to live again.

set local lock_timeout = '5s';

alter table queue.process add column kinds text[] not null default '{}';
comment on column queue.process.kinds is 'The kinds of job that it knows; none said by a process of an earlier release';

alter table queue.dead_job add column unique_key bytea;
comment on column queue.dead_job.unique_key is 'The key that it had while it lived, and takes again when it is redriven';

-- By what never changes: an index that knew of a claim would be written by every claim.
create index job_sequence on queue.job (shard, limit_name, limit_key) where is_sequence;
comment on index queue.job_sequence is 'Jobs of sequences, by key';
