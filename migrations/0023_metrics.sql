-- Where metrics are to be had, and how long vacuum has been kept from its work.
set local lock_timeout = '5s';

create table queue.instance (
    shard smallint not null default 0,
    id uuid not null,
    role text not null check (role in ('api', 'worker')),
    scheme text not null check (scheme in ('http', 'https')),
    address text not null check (address <> ''),
    host text not null,
    pid integer not null,
    version text not null,
    started_at timestamptz not null,
    heartbeat_at timestamptz not null,
    primary key (shard, id)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);
comment on table queue.instance is 'One row for each role that runs, with the address of its metrics; what has not been heard of for 30 s has gone';
comment on column queue.instance.shard is 'Which shard the role serves';
comment on column queue.instance.id is 'Unique to one start of one role, never used again';
comment on column queue.instance.role is 'api, or worker: a supervisor with all its processes';
comment on column queue.instance.scheme is 'http or https';
comment on column queue.instance.address is 'Host and port that serve /metrics, as others reach them';
comment on column queue.instance.host is 'The machine it runs on';
comment on column queue.instance.pid is 'Its process id there';
comment on column queue.instance.version is 'The release that it is of';
comment on column queue.instance.started_at is 'When it registered';
comment on column queue.instance.heartbeat_at is 'When it was last heard of';

-- As whoever migrates: a role without rights of its own sees nothing of the sessions of others, and a forgotten one is mostly theirs.
create function queue.oldest_snapshot_seconds() returns double precision
language sql stable security definer set search_path = pg_catalog as $$
    select coalesce(extract(epoch from clock_timestamp() - least(
               (select min(xact_start) from pg_stat_activity
                 where backend_xmin is not null and pid <> pg_backend_pid() and backend_type = 'client backend'),
               (select min(prepared) from pg_prepared_xacts)
           )), 0)::double precision
$$;
comment on function queue.oldest_snapshot_seconds() is
    'For how many seconds the oldest transaction of another session has kept vacuum from removing rows; 0 if none does';

create function queue.sessions(out state text, out sessions bigint, out lock_waits bigint) returns setof record
language sql stable security definer set search_path = pg_catalog as $$
    select case activity.state
                when 'active' then 'active'
                when 'idle' then 'idle'
                when 'idle in transaction' then 'idle_in_transaction'
                when 'idle in transaction (aborted)' then 'idle_in_transaction'
                else 'other'
           end,
           count(*),
           count(*) filter (where activity.wait_event_type = 'Lock')
      from pg_stat_activity as activity
     where activity.datname = current_database()
     group by 1
$$;
comment on function queue.sessions() is 'Sessions of this database by state, and how many of them wait for a lock';
