-- The file of a statement arrives as those of imports do, and becomes a statement at once, without a job.
set local lock_timeout = '5s';

alter table app.import
    drop constraint import_kind_check,
    add constraint import_kind_check check (kind in ('users', 'products', 'statement')),
    add constraint import_statement_check check (kind <> 'statement' or state = 'uploading');
comment on table app.import is 'A file of users or products that somebody sent, and how far its job is; the job in queue.job has the same id. Besides, statements while they arrive.';
comment on column app.import.kind is 'What its rows are. A statement is never an import: its row goes when the file is read.';
comment on column app.import.owner_id is 'Whose the products become; of users and statements, who asked.';
