-- The stamp of a commit's events was planned anew at each commit: the planner thinks that a plan for one day's partition is worth it.
-- Planning took as long as the update itself, 0.1 ms of each request that writes.
alter function app.stamp_event_batch() set plan_cache_mode = force_generic_plan;
