-- Places of a limit are given back beside the keys, so that settling waits for no claim, and a claim skips no key that is being settled.
set local lock_timeout = '5s';

create table queue.limit_free (
    shard smallint not null default 0,
    name text not null,
    key text not null,
    jobs integer not null check (jobs > 0)
) with (
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_insert_scale_factor = 0,
    autovacuum_vacuum_insert_threshold = 5000,
    autovacuum_vacuum_cost_delay = 0
);
create index limit_free_key on queue.limit_free (shard, name, key);
comment on table queue.limit_free is 'Places given back and not yet taken off queue.limit_key.running, a row for each statement and key; who claims of a key takes them off';
comment on column queue.limit_free.shard is 'Which shard the jobs live in';
comment on column queue.limit_free.name is 'The limit';
comment on column queue.limit_free.key is 'The key';
comment on column queue.limit_free.jobs is 'How many places';
comment on column queue.limit_key.running is 'How many of its jobs hold a place (job.held & 2), and how many did whose places still lie in queue.limit_free';
