select id, email, name, country, phone, locale, time_zone, avatar_url, bio, role, status, created_at, updated_at
from app.account_user
where shard = $1
  and book_id = $2
  and ($3::text is null or lower(email) = lower($3))
  and ($4::uuid is null or id > $4)
  and ($5::uuid is null or id = $5)
  and ($7::text is null or name ilike $7 or email ilike $7)
  and ($8::text is null or role = $8)
  -- Who was deleted is kept as the owner of what is recorded, and shown to whoever asks for that.
  and case when $9::text is null then status <> 'deleted' else status = $9 end
  and ($10::timestamptz is null or created_at >= $10)
  and ($11::timestamptz is null or created_at < $11)
order by id
limit $6
