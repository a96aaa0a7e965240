//! Where the claims of a process begin: with what others have found, while a look from the beginning is slow.

use chrono::{DateTime, TimeDelta, Utc};
use tests::database::Database;

use super::support::{Act, QUEUE, Worker, count, enqueue, told, waits_for};

/// Leaves word of a look that ended so many seconds ago, holds for ten seconds, and reached what was due 90 minutes ago.
const LOOKED: &str = "
    insert into queue.claim_start (queue, looked_at, pause_s, priorities, times)
    select $1, clock_timestamp() - make_interval(secs => $2), 10, array[priority], array[now() - interval '90 minutes']
      from queue.job
     limit 1";

#[tokio::test]
async fn a_process_that_begins_goes_on_where_others_have_got_to_as_long_as_that_holds() {
    // The worker looks from the beginning itself when the ten seconds are over: in one second, or at once.
    for (ago_s, order) in [(9.0, ["newer", "older"]), (11.0, ["older", "newer"])] {
        let pool = Database::create().await.pool(10).await;
        let now: DateTime<Utc> = sqlx::query_scalar("select now()").fetch_one(&pool).await.unwrap();
        let due = |name, hours| told(name, Act::Succeed).run_at(now - TimeDelta::hours(hours));
        enqueue(&pool, &[due("newer", 1), due("older", 2)]).await;
        sqlx::query(LOOKED).bind(QUEUE).bind(ago_s).execute(&pool).await.unwrap();
        let mut worker = Worker::start(&pool).await;
        assert_eq!(worker.next_names(2).await, order);
        worker.stop().await;
    }
}

#[tokio::test]
async fn a_slow_look_from_the_beginning_is_told_to_others() {
    let pool = Database::create().await.pool(10).await;
    let fill = "
        insert into queue.job (id, queue, kind, state, priority, max_attempts, run_at, created_at, payload)
        select gen_random_uuid(), $1, 'gone', 1, 50, 3, now(), now(), '{}' from generate_series(1, 300000)";
    sqlx::query(fill).bind(QUEUE).execute(&pool).await.unwrap();
    // Behind this snapshot the rows stay, though they are deleted.
    let mut held = pool.begin_with("begin isolation level repeatable read").await.unwrap();
    sqlx::query("select count(*) from queue.job").execute(&mut *held).await.unwrap();
    sqlx::query("delete from queue.job").execute(&pool).await.unwrap();
    let mut worker = Worker::start(&pool).await;
    enqueue(&pool, &[told("a", Act::Succeed)]).await;
    assert_eq!(worker.next_names(1).await, ["a"]);
    waits_for(|| async { (count(&pool, "select count(*) from queue.claim_start").await == 1).then_some(()) }).await;
    let is_of_the_job = "
        select count(*)
          from queue.claim_start as start
          join queue.job_history as job on job.queue = start.queue
         where start.priorities = array[job.priority] and start.times = array[job.run_at] and start.pause_s > 0.5";
    waits_for(|| async { (count(&pool, is_of_the_job).await == 1).then_some(()) }).await;
    worker.stop().await;
    held.rollback().await.unwrap();
}
