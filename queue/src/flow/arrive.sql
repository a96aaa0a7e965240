-- Tells waiting jobs that jobs they wait for have ended: $1 shard, then beside each other $2 ids and $3 how many. See unblock.rs.
with told as materialized (
    select $1::smallint as shard, given.*
      from unnest($2::uuid[], $3::smallint[]) with ordinality as given(id, ended, place)
),
changed as (
    update queue.job as job
       set waits_for = greatest(job.waits_for - told.ended, 0),
           state = case when job.waits_for > told.ended then 3
                        when job.run_at > statement_timestamp() then 0
                        -- For a place of its limit, from now on.
                        when job.limit_name is not null then 3
                        else 1 end,
           -- What is unblocked takes its place in the queue now; a microsecond apart, as for jobs that are enqueued together.
           run_at = case when job.waits_for > told.ended then job.run_at
                         else greatest(job.run_at, statement_timestamp() + make_interval(secs => (told.place - 1) * 1e-6)) end
      from told
     -- One way only to find them, as in settle/any.sql.
     where job.shard = any (array[told.shard])
       and job.id >= told.id
       and job.id <= told.id
       and job.state = 3
       and job.waits_for > 0
    returning job.queue, job.state, job.waits_for
),
counted as (
    insert into queue.counter_change (shard, queue, scheduled, ready, waiting)
    select $1, queue, nullif(count(*) filter (where state = 0), 0), nullif(count(*) filter (where state = 1), 0), -count(*)
      from changed
     where state <> 3
     group by queue
)
select (select count(*) from changed where waits_for = 0) as "jobs!",
       array(select distinct queue from changed where state = 1) as "ready!",
       array(select distinct queue from changed where state = 3 and waits_for = 0) as "limited!",
       exists (select from changed where state = 0) as "is_scheduled!"
