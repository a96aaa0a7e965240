-- Days of the event log are made and dropped in the order in which it is read, so that its keeper and its readers never wait for each other;
-- and made for what is published meanwhile, too.
set local lock_timeout = '5s';

create function app.old_event_days(keep_days integer) returns table (name regclass)
language sql stable set search_path = pg_catalog, pg_temp set timezone = 'UTC' as $$
    select link.inhrelid::regclass
      from pg_inherits as link
      join pg_class as class on class.oid = link.inhrelid
     where link.inhparent in ('app.event_batch'::regclass, 'app.event_number'::regclass)
       and class.relname ~ '_[0-9]{8}$'
       and to_date(right(class.relname, 8), 'YYYYMMDD') < current_date - keep_days
     order by link.inhparent = 'app.event_number'::regclass desc, class.relname
$$;
comment on function app.old_event_days(integer) is 'The days of the event log of more than keep_days ago, in the order in which they are to be dropped.';

create or replace function app.keep_event_days(keep_days integer) returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp
set lock_timeout = '1s' set timezone = 'UTC' set enable_seqscan = on as $$
declare
    log record;
    part record;
    day date;
    dropped integer := 0;
    is_due boolean;
begin
    if keep_days < 1 then
        raise exception 'events are kept for a day at least';
    end if;
    select exists (
               select
                 from unnest(array['event_number', 'event_batch']) as of_log (name)
                cross join generate_series(current_date, current_date + 7, interval '1 day') as ahead (start)
                where to_regclass(format('app.%I', of_log.name || to_char(ahead.start, '_YYYYMMDD'))) is null
           ) or exists (select from app.old_event_days(keep_days))
      into is_due;
    if is_due then
        -- Whoever reads events looks at their numbers first. So nobody is between the two when days are made or dropped, which
        -- locks both: each would wait for the other.
        lock table app.event_number in access exclusive mode;
    end if;
    for log in select * from (values ('event_number', 'numbered_at'), ('event_batch', 'at')) as logs (name, column_name) loop
        for day in select generate_series(current_date, current_date + 7, interval '1 day')::date loop
            continue when to_regclass(format('app.%I', log.name || to_char(day, '_YYYYMMDD'))) is not null;
            -- Made apart and then attached, which locks less than making it in place.
            execute format(
                'create table app.%1$I (like app.%2$I including all, check (%3$I >= %4$L and %3$I < %5$L))',
                log.name || to_char(day, '_YYYYMMDD'), log.name, log.column_name, day::timestamptz, (day + 1)::timestamptz
            );
            -- Nothing may come between what is moved and the day's own partition, which would then be refused.
            execute format('lock table app.%I in access exclusive mode', log.name || '_default');
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
    for part in select name from app.old_event_days(keep_days) loop
        execute format('drop table %s', part.name);
        dropped := dropped + 1;
    end loop;
    return dropped;
end
$$;
