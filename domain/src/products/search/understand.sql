with given as (
    select
        found.lexeme as word,
        found.positions[1] as place,
        (tsvector_to_array(to_tsvector('pg_catalog.english', found.lexeme)))[1] as stem,
        found.positions[array_upper(found.positions, 1)]
            = max(found.positions[array_upper(found.positions, 1)]) over () as is_last
    from unnest(to_tsvector('pg_catalog.simple', app.search_text($3))) as found
    order by place
    limit $4
)
select
    given.word as "given!",
    given.stem,
    candidate.word as "word?",
    candidate.stem as "word_stem?",
    candidate.products as "products?",
    candidate.is_correction as "is_correction?"
from given
left join lateral (
    -- What the last word may be the beginning of.
    (
        select known.word, known.stem, known.products, false as is_correction
        from app.product_word as known
        where given.is_last
            and known.shard = $1
            and known.book_id = $2
            and known.word >= given.word collate "C"
            -- No character comes after this one.
            and known.word < given.word collate "C" || chr(1114111)
        order by known.products desc, length(known.word), known.word
        limit $5
    )
    union all
    -- What may have been meant by a word that no product has: it is about one mistake away.
    (
        select known.word, known.stem, known.products, true
        from app.product_word as known
        where length(given.word) >= 4
            and length(given.word) <= 40
            and given.word ~ '^[[:alpha:]]+$'
            and not exists (
                select from app.product_word as exact
                where exact.shard = $1 and exact.book_id = $2 and exact.word = given.word collate "C"
            )
            and known.forms && app.word_forms(given.word)
            -- As a sum, so that the index over forms is the only one that fits.
            and known.shard + 0::smallint = $1
            and known.book_id = $2
        order by known.products desc, known.word
        limit $5
    )
) as candidate on true
order by given.place, candidate.is_correction, candidate.products desc, length(candidate.word), candidate.word
