-- What code and what the environment say of a schedule are kept beside what it does: so a change of an operator's stands against both,
-- taking it back needs no restart, and everybody sees who decides.
set local lock_timeout = '5s';

alter table queue.schedule
    add column declared json,
    add column configured json;
comment on column queue.schedule.declared is 'What code says of it, whoever decides now; null: it was made at run time, or declared by a release that did not keep this';
comment on column queue.schedule.configured is 'Spec and time zone that the environment of the process that declared it last gave instead of those of code; null: it gave none';
comment on column queue.schedule.is_overridden is 'Was changed at run time: what code and environment say is kept, and not applied';
comment on column queue.schedule.spec is 'When: five or six fields of cron, @every 5m, a word such as @daily, or off: never by itself';
comment on column app.idempotency.created_at is 'When it was first sent; kept for at least 24 hours, and by default for three days';
