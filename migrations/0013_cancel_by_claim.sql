-- A wish to end a running job says which claim it means, and who wishes it: a later claim of the job is another matter.
set local lock_timeout = '5s';

alter table queue.cancel_request
    add column epoch integer not null default 0,
    add column actor text not null default '';
comment on column queue.cancel_request.epoch is 'The claim that is to end';
comment on column queue.cancel_request.actor is 'Who wants that';
