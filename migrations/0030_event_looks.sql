-- A follower's look at the event log is one round trip: what has no number gets one, and what is new is answered.
set local lock_timeout = '5s';

create function app.read_events(
    of_shard smallint, after_seq bigint, after_event bigint, until_seq bigint, most_commits bigint, most_events bigint,
    of_book integer, of_topics text[], first_hashes bigint[], second_hashes bigint[]
) returns table (
    through bigint, seq bigint, n integer, book_id integer, at timestamptz, kind text, topics text, payload text
)
language sql stable as $$
with looked as materialized (
    select number.seq, number.xid, number.at, number.book_id
      from app.event_number as number
     where number.shard = of_shard
       and number.seq >= after_seq
       and number.seq <= until_seq
     order by number.seq
     limit most_commits
)
select through.seq, found.seq, found.n, found.book_id, found.at, found.kind, found.topics, found.payload
  from (select max(looked.seq) as seq from looked) as through
  left join (
           select looked.seq, event.n::integer as n, looked.book_id, looked.at, event.kind, event.topics, event.payload
             from looked
            cross join lateral (
                      select batch.kinds, batch.topics, batch.payloads
                        from app.event_batch as batch
                       where batch.shard = of_shard
                         and batch.xid = looked.xid
                         and batch.at = looked.at
                         and case
                                 when of_topics is null or length(batch.filter) = 0 then true
                                 -- Four bits for each topic; see filter.rs.
                                 else exists (
                                          select
                                            from unnest(first_hashes, second_hashes) as topic (first, second)
                                           where get_bit(batch.filter, topic.first % (length(batch.filter) * 8)) = 1
                                             and get_bit(batch.filter, (topic.first + topic.second) % (length(batch.filter) * 8)) = 1
                                             and get_bit(batch.filter, (topic.first + 2 * topic.second) % (length(batch.filter) * 8)) = 1
                                             and get_bit(batch.filter, (topic.first + 3 * topic.second) % (length(batch.filter) * 8)) = 1
                                      )
                             end
                      offset 0
                  ) as batch
            cross join lateral unnest(batch.kinds, batch.topics, batch.payloads)
                  with ordinality as event (kind, topics, payload, n)
            where (looked.seq > after_seq or event.n > after_event)
              and (of_book is null or looked.book_id = of_book)
              and (of_topics is null or string_to_array(event.topics, ' ') && of_topics)
            order by looked.seq, event.n
            limit most_events
       ) as found on true
 order by found.seq, found.n
$$;
comment on function app.read_events(smallint, bigint, bigint, bigint, bigint, bigint, integer, text[], bigint[], bigint[]) is
    'Events after a position (its commit, its event), in order, up to a commit, of so many commits at most, and so many events at most; of one book and of some topics, whose hashes come with them (none: all). The first column is the last commit that was looked at. It is part of the statement that calls it.';

create function app.look_at_events(
    of_shard smallint, after_seq bigint, after_event bigint, most_commits bigint, most_events bigint
) returns table (
    last bigint, through bigint, seq bigint, n integer, book_id integer, at timestamptz, kind text, topics text, payload text
)
language plpgsql as $$
#variable_conflict use_column
declare
    last_seq constant bigint := app.number_events(of_shard);
begin
    if last_seq < after_seq then
        return query select last_seq, null::bigint, null::bigint, null::integer, null::integer, null::timestamptz, null, null, null;
    else
        -- A statement of its own, so that it sees the numbers.
        return query
            select last_seq, page.*
              from app.read_events(
                       of_shard, after_seq, after_event, last_seq, most_commits, most_events, null, null, null, null
                   ) as page;
    end if;
end
$$;
comment on function app.look_at_events(smallint, bigint, bigint, bigint, bigint) is
    'Numbers what has no number, as app.number_events does, and answers the last number with the first page after a position. As others wait, it is to be called by itself, and what it answers is safe once it has been committed.';
