-- Where the claims of a queue have got to, for processes that begin while a look from the beginning is slow.
set local lock_timeout = '5s';

create table queue.claim_start (
    shard smallint not null default 0,
    queue text not null,
    looked_at timestamptz not null,
    pause_s double precision not null check (pause_s > 0),
    priorities smallint[] not null,
    times timestamptz[] not null check (cardinality(times) = cardinality(priorities)),
    primary key (shard, queue)
) with (
    fillfactor = 50,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 200
);
comment on table queue.claim_start is 'Of each queue, what the last slow look from the beginning found: dead rows that an old snapshot keeps make it slow, and a process that begins need not walk over them as well';
comment on column queue.claim_start.shard is 'Which shard the jobs live in';
comment on column queue.claim_start.queue is 'The queue';
comment on column queue.claim_start.looked_at is 'When that look ended';
comment on column queue.claim_start.pause_s is 'For how many seconds after it nobody need look from the beginning again';
comment on column queue.claim_start.priorities is 'The priorities of which jobs were claimed';
comment on column queue.claim_start.times is 'When the last one claimed of each of these was due';
