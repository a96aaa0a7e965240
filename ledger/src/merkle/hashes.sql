-- Hashes of the tree, runs of one level each: $1 shard, $2 book; $3 places, $4 starts, $5 ends of runs of leaf hashes;
-- $6 places, $7 levels, $8 starts, $9 ends of runs of higher levels. A hash of level n is the root of a tile of level n - 1.
-- A run has at most 256 hashes: the limits leave an index look-up as the only good plan, whatever the statistics say.
select place as "place!", string_agg(hash, ''::bytea order by index) as "hashes!"
from (
    select asked.place, found.index, found.hash
    from unnest($3::int[], $4::bigint[], $5::bigint[]) as asked (place, start, stop)
    cross join lateral (
        select seq as index, leaf_hash as hash
        from ledger.transaction
        where shard = $1
            and book = $2
            and seq >= asked.start
            and seq < asked.stop
        order by seq
        limit 256
    ) as found
    union all
    select asked.place, found.index, found.hash
    from unnest($6::int[], $7::smallint[], $8::bigint[], $9::bigint[]) as asked (place, level, start, stop)
    cross join lateral (
        select index, root as hash
        from ledger.tile
        where shard = $1
            and book = $2
            and level = asked.level - 1
            and index >= asked.start
            and index < asked.stop
        order by index
        limit 256
    ) as found
) as hashes
group by place
