-- Schedules by name: $1 the names, or null for all of them. See row.rs.
select name,
       shard,
       kind,
       queue,
       priority,
       max_attempts,
       payload::text as "payload!",
       version,
       spec,
       time_zone,
       catch_up,
       catch_up_max,
       overlap,
       is_paused,
       is_declared,
       is_overridden,
       declared::text as declared,
       configured::text as configured,
       next_at,
       error,
       last_tick_at,
       last_job_id,
       created_at,
       updated_at,
       statement_timestamp() as "now!"
  from queue.schedule
 where name = any (coalesce($1::text[], array(select name from queue.schedule)))
 order by name
