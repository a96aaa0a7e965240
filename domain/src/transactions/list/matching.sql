select id, kind, from_account, to_account, amount, currency, product_id, quantity, reverses, resolves, act, expires_at,
    coalesce(expires_at <= now(), false) as "is_over!", ended, leg_count, reference, description, effective_at, created_by,
    created_at, status, reason, seq, recorded_at
from unnest($2::uuid[]) as input (wanted)
-- One look-up in the primary key for each, whatever the planner thinks of the table.
cross join lateral (
    select *
    from app.transaction
    where shard = $1 and id = input.wanted
    offset 0
) as found
where book_id = $3
  and ($4::text is null or kind = $4)
  and ($5::text is null or $5 = case
          when status <> 'recorded' or act is distinct from 'hold' then status
          when ended is not null then ended
          when expires_at <= now() then 'expired'
          else 'held'
      end)
  and ($6::timestamptz is null or created_at >= $6)
  and ($7::timestamptz is null or created_at < $7)
  and ($8::timestamptz is null or effective_at >= $8)
  and ($9::timestamptz is null or effective_at < $9)
  and ($10::uuid is null or product_id = $10)
  and (
      $11::uuid is null
      or $11 in (from_account, to_account)
      or leg_count is not null and exists (
          select
          from app.transaction_leg
          where shard = $1 and transaction_id = found.id and account_id = $11
      )
  )
  and (
      $12::text is null
      or leg_count is null and currency = $12 and amount between $13 and $14
      or leg_count is not null and exists (
          select
          from app.transaction_leg
          where shard = $1 and transaction_id = found.id and currency = $12 and abs(amount) between $13 and $14
      )
  )
