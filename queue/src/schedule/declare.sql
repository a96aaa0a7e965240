-- Schedules that are new, or that code declares differently than they are; what an operator changed or made stays as it is.
-- $1 whether they come from code, then one array for each column. Returns the names of what was written. See declare.rs.
insert into queue.schedule as there (
    name, shard, kind, queue, priority, max_attempts, payload, version, spec, time_zone, catch_up,
    catch_up_max, overlap, next_at, is_declared, declared_at
)
select new.name, new.shard, new.kind, new.queue, new.priority, new.max_attempts, new.payload::json, new.version, new.spec,
       new.time_zone, new.catch_up, new.catch_up_max, new.overlap,
       new.next_at, $1, case when $1 then statement_timestamp() end
  from unnest(
           $2::text[], $3::smallint[], $4::text[], $5::text[], $6::smallint[], $7::smallint[], $8::text[],
           $9::smallint[], $10::text[], $11::text[], $12::text[], $13::smallint[], $14::text[], $15::timestamptz[]
       ) as new(
           name, shard, kind, queue, priority, max_attempts, payload,
           version, spec, time_zone, catch_up, catch_up_max, overlap, next_at
       )
 -- In one order everywhere, so that two starting processes do not wait for each other.
 order by new.name
    on conflict (name) do update
   set shard = excluded.shard,
       kind = excluded.kind,
       queue = excluded.queue,
       priority = excluded.priority,
       max_attempts = excluded.max_attempts,
       payload = excluded.payload,
       version = excluded.version,
       spec = excluded.spec,
       time_zone = excluded.time_zone,
       catch_up = excluded.catch_up,
       catch_up_max = excluded.catch_up_max,
       overlap = excluded.overlap,
       -- Who ticks at the same times keeps the ticks that are due.
       next_at = case
                     when (there.spec, there.time_zone) = (excluded.spec, excluded.time_zone) then there.next_at
                     else excluded.next_at
                 end,
       retry_at = null,
       error = null,
       declared_at = excluded.declared_at,
       updated_at = statement_timestamp()
 where $1
   and there.is_declared
   and not there.is_overridden
   and (
           there.shard, there.kind, there.queue, there.priority, there.max_attempts, there.payload::text, there.version, there.spec,
           there.time_zone, there.catch_up, there.catch_up_max, there.overlap
       ) is distinct from (
           excluded.shard, excluded.kind, excluded.queue, excluded.priority, excluded.max_attempts,
           excluded.payload::text, excluded.version, excluded.spec, excluded.time_zone, excluded.catch_up, excluded.catch_up_max,
           excluded.overlap
       )
returning name
