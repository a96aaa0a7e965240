//! Processes that die: their jobs go back at once, a report says how it was, and one that cannot live is given up.

use rustix::process::Signal;

use super::job::Act;
use super::kit::{Bench, signal};

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_gives_its_jobs_back_at_once_and_uses_no_attempt() {
    let mut bench = Bench::start(|settings| settings.processes = 2).await;
    bench.shut_gate();
    let job = bench.enqueue(Act::Wait, 1).await[0];
    let killed = bench.begun(job, 1).await[0];
    signal(killed, Signal::KILL);
    // Its lease would have run for ten minutes.
    let begun = bench.begun(job, 2).await;
    assert_ne!(begun[1], killed);
    bench.open_gate();
    bench.all_done_once(1).await;
    assert!(!bench.workers(2).await.contains(&killed));
    let crashes = bench.crashes(1).await;
    let crash = &crashes[0];
    assert_eq!((crash.pid.cast_unsigned(), crash.cause.as_str(), crash.signal), (killed, "died", Some(9)));
    assert_eq!((&crash.jobs[..], crash.jobs_in_all), (&[job][..], 1));
    assert_eq!((crash.kinds[0].as_str(), crash.exit_code), ("supervision.task", None));
    assert!(crash.process.is_some() && crash.uptime_ms > 0 && crash.rss_bytes_max > Some(1 << 20));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_ends_its_process_is_named_with_the_last_words() {
    let bench = Bench::start(|_| {}).await;
    let job = bench.enqueue(Act::Abort, 1).await[0];
    bench.effect_of(job).await;
    let crash = &bench.crashes(1).await[0];
    assert_eq!((crash.signal, &crash.jobs[..]), (Some(6), &[job][..]));
    assert!(crash.last_lines.contains(&"told to abort".to_owned()), "{:?}", crash.last_lines);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_in_a_job_ends_no_process() {
    let mut bench = Bench::start(|_| {}).await;
    let before = bench.workers(1).await;
    let job = bench.enqueue(Act::Panic, 1).await[0];
    assert_eq!([bench.effect_of(job).await][..], before);
    assert_eq!(bench.workers(1).await, before);
    assert_eq!(bench.crashes(0).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_cannot_live_end_the_role_with_70() {
    let mut bench = Bench::start(|settings| (settings.processes, settings.restarts_max) = (2, 4)).await;
    std::fs::write(bench.settings.doomed(), "").unwrap();
    bench.workers(2).await.into_iter().for_each(|worker| signal(worker, Signal::KILL));
    assert_eq!(bench.ended().await, Some(70));
    bench.wait_until_none_is_left().await;
    assert!(bench.log().contains("told to end at once"), "what a child writes is in the supervisor's log");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_process_outlives_a_killed_supervisor() {
    let mut bench = Bench::start(|settings| settings.processes = 3).await;
    let jobs = bench.enqueue(Act::Nothing, 300).await;
    bench.effect_of(jobs[0]).await;
    bench.kill_supervisor();
    bench.wait_until_none_is_left().await;
    // They drained: nobody holds a job, and what another pool does now has not been done.
    let held: i64 = sqlx::query_scalar("select count(*) from queue.job where owner is not null")
        .fetch_one(&bench.pool)
        .await
        .unwrap();
    assert_eq!(held, 0);
    let twice: i64 = sqlx::query_scalar("select count(*) - count(distinct job) from supervision.effect")
        .fetch_one(&bench.pool)
        .await
        .unwrap();
    assert_eq!(twice, 0);
}
