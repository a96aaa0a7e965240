select
    product.id as "id!",
    product.category_id,
    -- A whole word counts more than its beginning or a correction of it, a short name more than a long one, a code more than any name.
    case when product.is_wanted then
        ts_rank(product.search, $3::text::tsquery, 1)
            + ts_rank(product.search, $4::text::tsquery, 1)
            + case when lower(product.sku) = $5 then 2 else 0 end
    end as "rank?: f32"
from (
    select
        found.id, found.category_id, found.sku, found.search,
        ($7::text is null or found.currency = $7)
            and ($8::bigint is null or found.price >= $8)
            and ($9::bigint is null or found.price <= $9)
            and ($10::timestamptz is null or found.created_at >= $10)
            and ($11::timestamptz is null or found.created_at < $11) as is_wanted
    from app.product as found
    where found.search @@ $6::text::tsquery
        -- As a sum, so that no other index fits: to statistics of yesterday one that begins with the shard looks as good.
        and found.shard + 0::smallint = $1
        and found.book_id = $2
    -- However many there are, no more are looked at.
    limit $12
) as product
