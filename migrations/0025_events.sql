-- The event log: one row a commit, numbered in commit order by whoever follows, kept by the day.
set local lock_timeout = '5s';

create table app.event_batch (
    shard smallint not null default 0,
    xid xid8 not null default pg_current_xact_id(),
    at timestamptz not null default clock_timestamp(),
    book_id integer not null,
    kinds text[] not null,
    topics text[] not null,
    payloads text[] not null,
    filter bytea not null,
    committed_at timestamptz,
    -- By the transaction first: followers look for what was written by transactions that they have not seen.
    primary key (shard, xid, at),
    check (cardinality(kinds) = cardinality(topics) and cardinality(kinds) = cardinality(payloads))
) partition by range (at);
-- A thousand events are compressed by nobody: that would cost more time than all the rest.
alter table app.event_batch
    alter column topics set storage external,
    alter column payloads set storage external,
    alter column filter set storage external;
comment on table app.event_batch is 'What happened: the events that one statement published, in the same commit as what they tell. A partition holds a day.';
comment on column app.event_batch.shard is 'Where the row lives; that of its book.';
comment on column app.event_batch.xid is 'The transaction that wrote it.';
comment on column app.event_batch.at is 'When it was written, by the clock.';
comment on column app.event_batch.book_id is 'The book that it happened in.';
comment on column app.event_batch.kinds is 'What happened, such as transaction.recorded; one for each event.';
comment on column app.event_batch.topics is 'Whom it is for, such as user:<id>; one text for each event, its topics with a space between two.';
comment on column app.event_batch.payloads is 'The facts, as JSON text; one for each event.';
comment on column app.event_batch.filter is 'A Bloom filter of all its topics, so that a replay reads only what may concern it; empty: anything may.';

comment on column app.event_batch.committed_at is 'When its commit began, by the clock: the order of what became visible between two looks.';

create function app.stamp_event_batch() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_bitmapscan = off as $$
begin
    update app.event_batch
       set committed_at = clock_timestamp()
     where shard = new.shard and xid = new.xid and at = new.at;
    return null;
end
$$;
comment on function app.stamp_event_batch() is
    'Runs as the last thing before the commit: whoever could tell that this commit was over, by its data, its locks or its answer, is stamped later.';
create table app.event_number (
    shard smallint not null default 0,
    seq bigint not null,
    numbered_at timestamptz not null default clock_timestamp(),
    xid xid8 not null,
    at timestamptz not null,
    book_id integer not null,
    seen pg_snapshot,
    primary key (shard, seq, numbered_at)
) partition by range (numbered_at);
comment on table app.event_number is 'The order of the event log: a number for each batch, given after its commit and never changed. A partition holds a day.';
comment on column app.event_number.shard is 'Where the row lives; that of the batch.';
comment on column app.event_number.seq is 'The number: without gaps, from 1.';
comment on column app.event_number.numbered_at is 'When it was given.';
comment on column app.event_number.xid is 'The batch''s transaction.';
comment on column app.event_number.at is 'The batch''s time.';
comment on column app.event_number.book_id is 'The batch''s book.';
comment on column app.event_number.seen is 'With the last number of a look: what that look could see. The next one numbers what is visible then and was not now.';

create table app.event_log (
    shard smallint primary key,
    seq bigint not null default 0,
    seen pg_snapshot
);
comment on table app.event_log is 'One row a shard, which is locked while batches are numbered.';
comment on column app.event_log.shard is 'The shard.';
comment on column app.event_log.seq is 'The last number when days were last dropped.';
comment on column app.event_log.seen is 'What was seen then.';
insert into app.event_log (shard) values (0);

create table app.event_cursor (
    shard smallint not null default 0,
    follower text not null check (length(follower) between 1 and 100),
    seq bigint not null default 0,
    event integer not null default 0,
    moved_at timestamptz not null default now(),
    primary key (shard, follower)
);
comment on table app.event_cursor is 'How far durable followers have got; moved in the same commit as what they did about the events.';
comment on column app.event_cursor.shard is 'Which shard''s log is followed.';
comment on column app.event_cursor.follower is 'The follower''s name.';
comment on column app.event_cursor.seq is 'The batch that it got to, by its number.';
comment on column app.event_cursor.event is 'The last event of that batch that it is done with, from 1.';
comment on column app.event_cursor.moved_at is 'When it moved last.';

-- Days without a partition of their own land here, so that publishing never fails.
create table app.event_batch_default partition of app.event_batch default;
comment on table app.event_batch_default is 'Events of days that have no partition yet.';
create table app.event_number_default partition of app.event_number default;
comment on table app.event_number_default is 'Numbers of days that have no partition yet.';

create function app.keep_event_days(keep_days integer) returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp
set lock_timeout = '1s' set timezone = 'UTC' set enable_seqscan = on as $$
declare
    log record;
    part record;
    day date;
    dropped integer := 0;
begin
    if keep_days < 1 then
        raise exception 'events are kept for a day at least';
    end if;
    for log in select * from (values ('event_batch', 'at'), ('event_number', 'numbered_at')) as logs (name, column_name) loop
        for day in select generate_series(current_date, current_date + 7, interval '1 day')::date loop
            continue when to_regclass(format('app.%I', log.name || to_char(day, '_YYYYMMDD'))) is not null;
            -- Made apart and then attached, which locks less than making it in place.
            execute format(
                'create table app.%1$I (like app.%2$I including all, check (%3$I >= %4$L and %3$I < %5$L))',
                log.name || to_char(day, '_YYYYMMDD'), log.name, log.column_name, day::timestamptz, (day + 1)::timestamptz
            );
            execute format(
                'with moved as (delete from app.%2$I where %3$I >= %4$L and %3$I < %5$L returning *)
                 insert into app.%1$I select * from moved',
                log.name || to_char(day, '_YYYYMMDD'), log.name || '_default', log.column_name,
                day::timestamptz, (day + 1)::timestamptz
            );
            execute format(
                'alter table app.%1$I attach partition app.%2$I for values from (%3$L) to (%4$L)',
                log.name, log.name || to_char(day, '_YYYYMMDD'), day::timestamptz, (day + 1)::timestamptz
            );
        end loop;
    end loop;
    -- Where the numbers go on if every day that has one is dropped.
    update app.event_log
       set (seq, seen) = (
               select number.seq, number.seen
                 from app.event_number as number
                where number.shard = event_log.shard
                order by number.seq desc
                limit 1
           )
     where exists (select from app.event_number as number where number.shard = event_log.shard);
    for part in
        select link.inhrelid::regclass as name
          from pg_inherits as link
          join pg_class as class on class.oid = link.inhrelid
         where link.inhparent in ('app.event_batch'::regclass, 'app.event_number'::regclass)
           and class.relname ~ '_[0-9]{8}$'
           and to_date(right(class.relname, 8), 'YYYYMMDD') < current_date - keep_days
    loop
        execute format('drop table %s', part.name);
        dropped := dropped + 1;
    end loop;
    return dropped;
end
$$;
comment on function app.keep_event_days(integer) is
    'Makes the days of the event log a week ahead and drops those of more than keep_days ago; answers how many tables it dropped. The service may run it, and so needs no right to drop anything else.';

create function app.number_events(of_shard smallint) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp
-- Look-ups by index, whatever the statistics of a table that has just begun to grow say.
set enable_seqscan = off set enable_bitmapscan = off set lock_timeout = '2s' as $$
declare
    last_seq bigint;
    last_seen pg_snapshot;
    is_locked boolean := false;
    is_elsewhere boolean;
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'events are numbered in a transaction that is read committed';
    end if;
    -- Twice: first without the lock, since mostly there is nothing to do; then with it. Each statement has a snapshot of its own.
    loop
        select number.seq, number.seen
          into last_seq, last_seen
          from app.event_number as number
         where number.shard = of_shard
         order by number.seq desc
         limit 1;
        if not found then
            select log.seq, log.seen into last_seq, last_seen from app.event_log as log where log.shard = of_shard;
            if not found then
                insert into app.event_log (shard) values (of_shard) on conflict do nothing;
                last_seq := 0;
            end if;
        end if;
        exit when is_locked;
        is_elsewhere := pg_snapshot_xmax(last_seen) > pg_snapshot_xmax(pg_current_snapshot());
        -- What a snapshot does not see began after it, or was still under way.
        if is_elsewhere is not true and not exists (
            select from app.event_batch
             where shard = of_shard and xid >= coalesce(pg_snapshot_xmax(last_seen), '0')
        ) and not exists (
            select from pg_snapshot_xip(last_seen) as open (xid)
             cross join lateral (
                       select from app.event_batch as batch where batch.shard = of_shard and batch.xid = open.xid offset 0
                   ) as batch
        ) then
            return last_seq;
        end if;
        perform from app.event_log where shard = of_shard for update;
        is_locked := true;
    end loop;
    if pg_snapshot_xmax(last_seen) > pg_snapshot_xmax(pg_current_snapshot()) then
        -- What was seen is yet to come: the log was restored into another server, whose transactions count from less. What has a
        -- number goes, as it could not be told from what is to come; what has none gets one.
        delete from app.event_batch as batch
         using app.event_number as number
         where number.shard = of_shard and batch.shard = of_shard and batch.xid = number.xid and batch.at = number.at;
        delete from app.event_number where shard = of_shard;
        -- Below every transaction that is to come.
        update app.event_batch set xid = '3' where shard = of_shard and xid >= pg_snapshot_xmax(pg_current_snapshot());
        update app.event_log set seq = last_seq, seen = null where shard = of_shard;
        last_seen := null;
    end if;
    with fresh as (
        select batch.xid, batch.at, batch.book_id, batch.committed_at
          from app.event_batch as batch
         where batch.shard = of_shard and batch.xid >= coalesce(pg_snapshot_xmax(last_seen), '0')
         union all
        select batch.xid, batch.at, batch.book_id, batch.committed_at
          from pg_snapshot_xip(last_seen) as open (xid)
         cross join lateral (
                   select one.xid, one.at, one.book_id, one.committed_at
                     from app.event_batch as one
                    where one.shard = of_shard and one.xid = open.xid
                   offset 0
               ) as batch
    ),
    placed as (
        select fresh.*, row_number() over (order by committed_at, at, xid) as place, count(*) over () as places from fresh
    ),
    numbered as (
        insert into app.event_number (shard, seq, xid, at, book_id, seen)
        select of_shard, last_seq + place, xid, at, book_id, case when place = places then pg_current_snapshot() end
          from placed
        returning 1
    )
    select last_seq + count(*) into last_seq from numbered;
    return last_seq;
end
$$;
comment on function app.number_events(smallint) is
    'Gives the committed batches that have no number the next ones, and answers the last number. To be called by itself, not within a longer transaction: others wait for it.';

-- What was published before, as batches without a filter.
insert into app.event_batch (shard, xid, at, book_id, kinds, topics, payloads, filter, committed_at)
select shard, xid, created_at, book_id, array_agg(kind order by id), array_agg(topic order by id),
       array_agg(payload::text order by id), '', created_at
  from app.event
 where created_at > now() - interval '7 days'
 group by shard, xid, created_at, book_id;
drop table app.event;
create constraint trigger stamped after insert on app.event_batch deferrable initially deferred
    for each row execute function app.stamp_event_batch();


create view app.event as
select batch.shard, batch.book_id, batch.xid, batch.at, event.n, topic.topic, event.kind, event.payload::jsonb as payload
  from app.event_batch as batch
 cross join lateral unnest(batch.kinds, batch.topics, batch.payloads) with ordinality as event (kind, topics, payload, n)
 cross join lateral unnest(string_to_array(event.topics, ' ')) as topic (topic);
comment on view app.event is 'Every event as often as it has topics, for people who look.';
comment on column app.event.shard is 'Where it lives.';
comment on column app.event.book_id is 'The book that it happened in.';
comment on column app.event.xid is 'The transaction that wrote it.';
comment on column app.event.at is 'When it was written.';
comment on column app.event.n is 'Its place in its batch, from 1.';
comment on column app.event.topic is 'One of its topics.';
comment on column app.event.kind is 'What happened.';
comment on column app.event.payload is 'The facts.';

select app.keep_event_days(7);

-- The queue knows nothing of events, so what became of a job is told by a trigger: of those that somebody asked for, but for the one that
-- each transaction has, which tells of itself. The filter is empty, so that replays look at these; they are few.
create function app.tell_of_job() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    state text := 'running';
begin
    if tg_table_name = 'dead_job' then
        state := 'dead';
    elsif tg_op = 'INSERT' then
        state := case new.state when 4 then 'succeeded' when 5 then 'discarded' else 'cancelled' end;
    end if;
    insert into app.event_batch (shard, book_id, kinds, topics, payloads, filter)
    values (
        new.shard,
        coalesce((
            select asker.book_id
              from app.account_user as asker
             where asker.shard = new.shard
               -- Whoever enqueues on the command line is no user.
               and asker.id = case when new.actor ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then new.actor::uuid end
        ), 1),
        array[case when state = 'running' then 'job.progressed' else 'job.ended' end],
        array['jobs:' || new.id],
        array[json_build_object('v', 1, 'job_id', new.id, 'kind', new.kind, 'state', state, 'progress', new.progress)::text],
        ''
    );
    return null;
end
$$;
comment on function app.tell_of_job() is 'Publishes how far a job is, or how it ended, in the transaction that writes it.';

create trigger tell_of_progress after update of progress on queue.job
    for each row when (new.progress is not null and new.actor is not null and new.kind <> 'ledger.record_transaction')
    execute function app.tell_of_job();
create trigger tell_of_end after insert on queue.job_history
    for each row when (new.actor is not null and new.kind <> 'ledger.record_transaction')
    execute function app.tell_of_job();
create trigger tell_of_end after insert on queue.dead_job
    for each row when (new.actor is not null)
    execute function app.tell_of_job();
