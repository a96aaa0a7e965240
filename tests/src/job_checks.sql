-- What every row of queue.job keeps to. The service's own table checks only what a job would be lost by, since each check costs
-- each statement that writes a job; here the jobs of all tests are checked.
alter table queue.job
    add constraint tests_check check (
        attempt >= 0 and crashes >= 0 and max_attempts > 0 and version > 0 and weight > 0
        and waits_for >= -1 and held between 0 and 3
        and queue <> '' and kind <> ''
        and (limit_name is null) = (limit_key is null)
        and (limit_name is not null or not is_sequence)
    );
