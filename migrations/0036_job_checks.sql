-- PostgreSQL reads the checks of a table anew for each statement that writes to it, and these fourteen took a quarter of what it takes to
-- enqueue or to claim one job or eight. What a job would be lost by stays checked here, as one; the tests check the rest on their databases.
set local lock_timeout = '5s';

alter table queue.job
    drop constraint job_attempt_check1,
    drop constraint job_crashes_check1,
    drop constraint job_held_check,
    drop constraint job_kind_check1,
    drop constraint job_limit_is_whole,
    drop constraint job_max_attempts_check1,
    drop constraint job_priority_check1,
    drop constraint job_queue_check1,
    drop constraint job_running_was_claimable,
    drop constraint job_sequence_has_limit,
    drop constraint job_state_check1,
    drop constraint job_version_check,
    drop constraint job_waits_for_check,
    drop constraint job_weight_check,
    -- It follows from those for the rows that are there, which need not be read for that.
    add constraint job_can_be_found check (
        state in (0, 1, 3) and (owner is null or state <> 0) and priority between 0 and 99
    ) not valid;
