-- The login of api and workers, made with a new database: it may add to what is recorded, and neither change nor remove it.
-- `bitnexus migrate` gives the role bitnexus_service its rights.
create role bitnexus_service nologin;
create role bitnexus_app login password 'bitnexus_app' in role bitnexus_service;
-- What it makes, such as days of the queue's history, belongs to the role, whoever logs in.
alter role bitnexus_app set role = 'bitnexus_service';
