-- The database's own testimony: what jobs write, each claim and its end, each lease and its end.

create schema history;

create table history.effect (
    job uuid not null,
    epoch integer not null,
    owner uuid not null,
    claimed_us bigint not null,
    pid integer not null,
    at timestamptz not null default clock_timestamp()
);
comment on table history.effect is 'What jobs write in their own transactions; no unique key, so that writing twice shows';

create table history.change (
    seq bigint generated always as identity,
    at timestamptz not null default clock_timestamp(),
    xid bigint not null default txid_current(),
    what text not null,
    job uuid not null,
    epoch integer not null,
    owner uuid not null,
    claimed_at timestamptz not null,
    -- Of a claim's end: the state that the job went to, none when it left the table.
    state smallint,
    -- Of a progress report: the claim that it says it comes from.
    reporter_epoch integer,
    reporter_owner uuid
);
comment on table history.change is 'Each claim, its end, and progress reported under it';

create table history.lease (
    seq bigint generated always as identity,
    at timestamptz not null default clock_timestamp(),
    xid bigint not null default txid_current(),
    process uuid not null,
    pid integer not null,
    expires_at timestamptz not null,
    what text not null
);
comment on table history.lease is 'Each lease: registered, declared lost, gone';

-- A run learns of its claim by its payload: the queue itself does not show a job its epoch.
create function history.stamp() returns trigger language plpgsql as $$
begin
    new.payload := (new.payload::jsonb || jsonb_build_object('claim', jsonb_build_object(
        'epoch', new.epoch, 'owner', new.owner,
        'at_us', (extract(epoch from new.claimed_at) * 1000000)::bigint
    )))::json;
    return new;
end
$$;
create trigger history_stamp before update on queue.job
    for each row when (new.owner is not null and (old.owner is null or old.epoch <> new.epoch))
    execute function history.stamp();

-- A job of a schedule learns of its tick the same way: it comes due at that time.
create function history.stamp_tick() returns trigger language plpgsql as $$
begin
    new.payload := (new.payload::jsonb || jsonb_build_object('tick', jsonb_build_array(
        substr(new.actor, length('schedule:') + 1), extract(epoch from new.run_at)::bigint
    )))::json;
    return new;
end
$$;
create trigger history_tick before insert on queue.job
    for each row when (new.actor like 'schedule:%')
    execute function history.stamp_tick();

create function history.note_claim() returns trigger language plpgsql as $$
begin
    insert into history.change (what, job, epoch, owner, claimed_at)
    values ('claimed', new.id, new.epoch, new.owner, new.claimed_at);
    return null;
end
$$;
create trigger history_claimed after update on queue.job
    for each row when (new.owner is not null and (old.owner is null or old.epoch <> new.epoch or old.owner <> new.owner))
    execute function history.note_claim();

create function history.note_end() returns trigger language plpgsql as $$
begin
    insert into history.change (what, job, epoch, owner, claimed_at, state)
    values ('ended', old.id, old.epoch, old.owner, old.claimed_at, case when tg_op = 'UPDATE' then new.state end);
    return null;
end
$$;
create trigger history_ended after update on queue.job
    for each row when (old.owner is not null and (new.owner is null or old.epoch <> new.epoch or old.owner <> new.owner))
    execute function history.note_end();
create trigger history_left after delete on queue.job
    for each row when (old.owner is not null)
    execute function history.note_end();

create function history.note_progress() returns trigger language plpgsql as $$
begin
    -- Reported while nobody runs the job: an owner that cannot be the reporter.
    insert into history.change (what, job, epoch, owner, claimed_at, reporter_epoch, reporter_owner)
    values ('reported', new.id, new.epoch, coalesce(new.owner, '00000000-0000-0000-0000-000000000000'),
            coalesce(new.claimed_at, clock_timestamp()),
            (new.progress ->> 'epoch')::integer, (new.progress ->> 'owner')::uuid);
    return null;
end
$$;
create trigger history_reported after update on queue.job
    for each row when (old.progress::text is distinct from new.progress::text)
    execute function history.note_progress();

create function history.note_lease() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        insert into history.lease (process, pid, expires_at, what) values (old.id, old.pid, old.expires_at, 'gone');
    else
        insert into history.lease (process, pid, expires_at, what)
        values (new.id, new.pid, new.expires_at, case when tg_op = 'INSERT' then 'registered' else 'lost' end);
    end if;
    return null;
end
$$;
create trigger history_registered after insert on queue.process
    for each row execute function history.note_lease();
create trigger history_lost after update on queue.process
    for each row when (old.lost_at is null and new.lost_at is not null)
    execute function history.note_lease();
create trigger history_gone after delete on queue.process
    for each row execute function history.note_lease();
