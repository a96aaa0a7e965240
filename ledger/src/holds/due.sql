-- The holds of a book that are due. Ordered as the one index that begins with the book, which leaves one plan: from the
-- first row of that index on.
select id
from ledger.open_hold
where shard = $1
    and book = $2
    and expires_at <= statement_timestamp()
order by shard, book, expires_at
limit $3
