-- A delivery with what its endpoint is now; nothing if either has gone.
select
    delivery.book_id,
    delivery.event_id,
    delivery.body,
    endpoint.id as endpoint_id,
    endpoint.owner_id,
    endpoint.url,
    endpoint.secret,
    case when endpoint.old_secret_until > now() then endpoint.old_secret end as old_secret,
    delivery.status = 'pending' and delivery.job_id = $3 as is_wanted,
    endpoint.disabled_reason is null
        and owner.status = 'active'
        -- Who is no longer staff is no longer told of others.
        and (not endpoint.takes_book or owner.role in ('admin', 'operator')) as is_open,
    clock_timestamp() as now
from app.webhook_delivery as delivery
join app.webhook_endpoint as endpoint
    on endpoint.shard = delivery.shard and endpoint.id = delivery.endpoint_id
join app.account_user as owner
    on owner.shard = endpoint.shard and owner.id = endpoint.owner_id
where delivery.shard = $1 and delivery.id = $2
