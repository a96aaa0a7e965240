-- Events after a position, in order: $1 shard, $2 and $3 the position's commit and event, $4 the last commit to look at, $5 how many
-- commits to look at, $6 how many events to answer, $7 book and $8 topics (none: all), $9 and $10 the halves of the topics' hashes.
with looked as materialized (
    select seq, xid, at, book_id
      from app.event_number
     where shard = $1
       and seq >= $2
       and seq <= $4
     order by seq
     limit $5
)
select through.seq as "through?", found.seq as "seq?", found.n as "n?", found.book_id as "book_id?", found.at as "at?",
       found.kind as "kind?", found.topics as "topics?", found.payload as "payload?"
  from (select max(seq) as seq from looked) as through
  left join (
           select looked.seq, event.n::integer as n, looked.book_id, looked.at, event.kind, event.topics, event.payload
             from looked
            cross join lateral (
                      select kinds, topics, payloads
                        from app.event_batch
                       where shard = $1
                         and xid = looked.xid
                         and at = looked.at
                         and case
                                 when $8::text[] is null or length(filter) = 0 then true
                                 -- Four bits for each topic; see filter.rs.
                                 else exists (
                                          select
                                            from unnest($9::bigint[], $10::bigint[]) as topic (first, second)
                                           where get_bit(filter, topic.first % (length(filter) * 8)) = 1
                                             and get_bit(filter, (topic.first + topic.second) % (length(filter) * 8)) = 1
                                             and get_bit(filter, (topic.first + 2 * topic.second) % (length(filter) * 8)) = 1
                                             and get_bit(filter, (topic.first + 3 * topic.second) % (length(filter) * 8)) = 1
                                      )
                             end
                      offset 0
                  ) as batch
            cross join lateral unnest(batch.kinds, batch.topics, batch.payloads)
                  with ordinality as event (kind, topics, payload, n)
            where (looked.seq > $2 or event.n > $3)
              and ($7::integer is null or looked.book_id = $7)
              and ($8::text[] is null or string_to_array(event.topics, ' ') && $8)
            order by looked.seq, event.n
            limit $6
       ) as found on true
 order by found.seq, found.n
