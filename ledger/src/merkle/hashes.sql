-- Runs of hashes of the tree, each as one value: $1 shard, $2 book.
-- $3 places, $4 levels, $5 indexes of full tiles, $6 offsets and $7 lengths in bytes: a part of a tile, which is stored
-- without compression, so only that part is read.
select asked.place as "place!", found.hashes as "hashes!"
from unnest($3::int[], $4::smallint[], $5::bigint[], $6::int[], $7::int[]) as asked (place, level, index, start, length)
cross join lateral (
    select substring(hashes from asked.start + 1 for asked.length) as hashes
    from ledger.tile
    where shard = $1
        and book = $2
        and level = asked.level
        and index = asked.index
    limit 1
) as found
union all
-- $8 places, $9 starts, $10 ends of runs of leaf hashes in the open tile. A run has at most 256 hashes: the limits leave an
-- index look-up as the only good plan, whatever the statistics say.
select asked.place, found.hashes
from unnest($8::int[], $9::bigint[], $10::bigint[]) as asked (place, start, stop)
cross join lateral (
    select string_agg(leaf_hash, ''::bytea order by seq) as hashes
    from (
        select seq, leaf_hash
        from ledger.transaction
        where shard = $1
            and book = $2
            and seq >= asked.start
            and seq < asked.stop
        order by seq
        limit 256
    ) as leaves
) as found
where found.hashes is not null
union all
-- $11 places, $12 levels, $13 starts, $14 ends of runs of higher levels in open tiles: a hash of level n is the root of a
-- tile of level n - 1.
select asked.place, found.hashes
from unnest($11::int[], $12::smallint[], $13::bigint[], $14::bigint[]) as asked (place, level, start, stop)
cross join lateral (
    select string_agg(root, ''::bytea order by index) as hashes
    from (
        select index, root
        from ledger.tile
        where shard = $1
            and book = $2
            and level = asked.level - 1
            and index >= asked.start
            and index < asked.stop
        order by index
        limit 256
    ) as tiles
) as found
where found.hashes is not null
