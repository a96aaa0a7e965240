-- The oldest delivery that is on its way, for the metric of that name.
set local lock_timeout = '5s';

create index webhook_delivery_pending on app.webhook_delivery (shard, id) where status = 'pending';
comment on index app.webhook_delivery_pending is 'What is on its way, the oldest first';
