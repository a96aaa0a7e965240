-- The events of one commit are much alike. With lz4 they take half the room and half the log (WAL), for the time that storing them as they
-- are takes. A server that was built without it goes on storing them as they are.
set local lock_timeout = '5s';

do $$
declare
    part regclass;
begin
    for part in
        select 'app.event_batch'::regclass
         union all
        select inhrelid from pg_inherits where inhparent = 'app.event_batch'::regclass
    loop
        execute format(
            'alter table %s alter column topics set compression lz4, alter column topics set storage extended,
                            alter column payloads set compression lz4, alter column payloads set storage extended',
            part
        );
    end loop;
exception
    when feature_not_supported then
        raise notice 'this server has no lz4: events are stored as they are';
end
$$;
