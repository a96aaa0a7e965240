-- The role that the service runs as: it may add to what is recorded, and neither change nor remove it.
set local lock_timeout = '5s';

-- The triggers say what may change; the grants say it once more, to a role that cannot take triggers away.
create function ledger.grant_service() returns boolean language plpgsql as $$
declare
    found record;
begin
    if not exists (select from pg_roles where rolname = 'bitnexus_service') then
        begin
            create role bitnexus_service nologin;
        exception
            when insufficient_privilege then return false;
            -- Another database of the same server made it meanwhile.
            when duplicate_object or unique_violation then null;
        end;
    end if;
    if not pg_has_role(current_user, 'bitnexus_service', 'member') then
        begin
            execute format('grant bitnexus_service to %I', current_user);
        exception
            when insufficient_privilege then return false;
        end;
    end if;

    -- What is recorded can be read and added to; what has no guard is a list or a view of it, and may change.
    for found in
        select space.nspname as schema, class.relname as name,
            exists (select from pg_trigger where tgrelid = class.oid and tgname = 'append_only') as append_only,
            exists (select from pg_trigger where tgrelid = class.oid and tgname = 'stays') as stays
        from pg_class as class
        join pg_namespace as space on space.oid = class.relnamespace
        where space.nspname in ('ledger', 'app', 'reconciliation')
            and class.relkind in ('r', 'p')
    loop
        execute format('grant usage on schema %I to bitnexus_service', found.schema);
        execute format('grant select, insert on %I.%I to bitnexus_service', found.schema, found.name);
        if not found.append_only and not found.stays then
            execute format('grant update, delete on %I.%I to bitnexus_service', found.schema, found.name);
        end if;
    end loop;
    grant update (size, root, frontier, recorded_at) on ledger.book to bitnexus_service;
    grant update (balance, version, held_out, held_in, closed_seq, group_id) on ledger.account to bitnexus_service;
    grant update (until_size) on ledger.log_key to bitnexus_service;
    if to_regclass('public._sqlx_migrations') is not null then
        grant select on public._sqlx_migrations to bitnexus_service;
    end if;

    -- The queue makes and drops the days of its history while it runs, so its tables are the role's own.
    if not exists (
        select from pg_namespace where nspname = 'queue' and nspowner = 'bitnexus_service'::regrole
    ) then
        alter schema queue owner to bitnexus_service;
    end if;
    for found in
        select class.oid::regclass as name
        from pg_class as class
        where class.relnamespace = 'queue'::regnamespace
            and class.relkind in ('r', 'p')
            and class.relowner <> 'bitnexus_service'::regrole
    loop
        execute format('alter table %s owner to bitnexus_service', found.name);
    end loop;
    return true;
end
$$;
comment on function ledger.grant_service() is
    'Gives the role bitnexus_service what the service needs and no more; false: the role is not there, and may not be made';

do $$
begin
    if not ledger.grant_service() then
        raise notice 'there is no role bitnexus_service: see "Grants" in docs/LEDGER.md';
    end if;
end
$$;
