//! A run of the queue under faults, and a checker that proves from what everybody saw that its invariants held.
//!
//! Worker and enqueuer processes (`child`), each behind a proxy (`tests::proxy`), work on a server of their own
//! (`tests::server`), while an adversary kills, stops, cuts, delays and restarts them by a plan drawn from a seed
//! (`adversary`, `stage`). Each writes what it sees to a file of its own (`event`); triggers of the database write down
//! each claim and lease (`witness.sql`). In the end everything is healed, the queue runs dry, and each invariant is
//! checked against the whole history (`check`).
//!
//! - `HISTORY_FAULTS`: how many faults (60: about 40 s).
//! - `HISTORY_SEED`: repeats the plan of a run, which prints its seed. The timing is the machine's, so a failure may
//!   need several runs to come back.
//! - `HISTORY_SECONDS_MAX`: after this long no further faults (1,200).
//!
//! The long run, at least 2,000 faults within 20 minutes:
//! `HISTORY_FAULTS=2500 cargo test -p tests --test it -- history::the_invariants --nocapture`
//!
//! To add a kind of job, teach [`jobs::Told`] to draw it, to make it and to run it; what a check has to know of it stands in
//! its payload, which the queue keeps to the end. To add an invariant, add a file to `check`.
//!
//! To see that it can fail: take `job.epoch = outcome.epoch` and `job.owner = outcome.owner` out of the statements of
//! `queue/src/settle/`, and run it. Without the fence it goes red at the default number of faults. That each single
//! check can fail is shown by its own tests, on histories made by hand.

mod adversary;
mod check;
mod child;
mod enqueuer;
mod event;
mod facts;
mod jobs;
mod stage;
mod story;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use sqlx::PgPool;
use tests::faketime;
use tests::random::Random;

use child::Role;
use event::{How, What};
use facts::{Facts, History, State};
use stage::Stage;

/// How long the queue may take to run dry once everything is well again.
const PATIENCE: Duration = Duration::from_secs(90);

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// Ends the ticks. Workers fire until they end, and they end one after another: the last would leave a job to nobody.
/// Waits for whoever is firing just now, who has the schedule's row locked.
async fn fire_no_more(pool: &PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    queue::schedule::pause(&mut conn, jobs::EVERY_SECOND).await.unwrap();
}

/// Waits until no job is live.
async fn run_dry(pool: &PgPool) -> bool {
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        let live: sqlx::Result<i64> = sqlx::query_scalar("select count(*) from queue.job").fetch_one(pool).await;
        if live.is_ok_and(|live| live == 0) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    false
}

/// How much happened, so that a run in which nothing did shows.
fn summary(facts: &Facts) -> BTreeMap<String, usize> {
    let history = History::of(facts);
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut count = |name: String| *counts.entry(name).or_default() += 1;
    for event in &facts.events {
        match &event.what {
            What::Fault(text) => {
                let fault = text.split(' ').nth(2).unwrap_or_default().split(['(', '{']).next().unwrap_or_default();
                count(format!("fault {fault}"));
                count("faults".to_owned());
            }
            What::Acknowledged(ids) => ids.iter().for_each(|_| count("jobs acknowledged".to_owned())),
            What::Refused(ids) => ids.iter().for_each(|_| count("jobs refused".to_owned())),
            What::Unknown(ids) => ids.iter().for_each(|_| count("jobs without an answer".to_owned())),
            _ => {}
        }
    }
    facts.rows.iter().for_each(|row| count(format!("jobs {:?}", row.state)));
    facts.leases.iter().filter(|lease| lease.lost.is_some()).for_each(|_| count("leases lost".to_owned()));
    for run in history.runs.values().flatten() {
        count(format!("runs {}", run.how.map_or("Killed".to_owned(), |how| format!("{how:?}"))));
        let end = history.spans.get(&(run.job, run.claim)).and_then(|span| span.ended);
        if history.is_undone(run) {
            count("runs under a claim that a crash undid".to_owned());
        } else if end.is_some_and(|end| end.at_us < run.until_us && run.how == Some(How::Succeeded)) {
            count("runs that succeeded after the job was taken".to_owned());
        }
    }
    counts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_invariants_hold_through_faults() {
    let (seed, faults) = (setting("HISTORY_SEED", Random::seed()), setting("HISTORY_FAULTS", 60));
    let repeat = format!("HISTORY_SEED={seed} HISTORY_FAULTS={faults}");
    println!("{repeat}");
    let longest = Duration::from_secs(setting("HISTORY_SECONDS_MAX", 1_200));
    let faketime = faketime::library("no clock is shifted");
    let plan = adversary::plan(&mut Random::new(seed), faults, faketime.is_some());
    let mut stage = Stage::set(seed, faketime).await;
    let started = Instant::now();
    for (number, step) in plan.iter().enumerate().take_while(|_| started.elapsed() < longest) {
        if number % 100 == 99 {
            println!("{:>6} s: {} faults", started.elapsed().as_secs(), number + 1);
        }
        stage.act(step).await;
    }
    println!("{:>6} s: all faults done", started.elapsed().as_secs());
    let fallen = stage.heal();
    let mut stubborn = stage.end(Role::Enqueuer);
    let pool = PgPool::connect(&stage.url()).await.unwrap();
    fire_no_more(&pool).await;
    let is_dry = run_dry(&pool).await;
    println!("{:>6} s: {}", started.elapsed().as_secs(), if is_dry { "no job is left" } else { "jobs are left" });
    stubborn.extend(stage.end(Role::Worker));

    let facts = Facts::gather(&stage.diaries(), &pool).await;
    for (name, number) in summary(&facts) {
        println!("{number:>8} {name}");
    }
    let violations = check::violations(&facts);
    println!("{:>6} s: checked", started.elapsed().as_secs());
    if violations.is_empty() && fallen.is_empty() && stubborn.is_empty() {
        assert!(facts.rows.iter().any(|row| row.state == State::Succeeded), "nothing was run");
        return;
    }
    let (story, kept) = (story::tell(&facts, &violations), stage.keep());
    panic!(
        "{repeat}\n{story}\nended by themselves: {fallen:?}\nwould not end: {stubborn:?}\nall is kept in {}",
        kept.display()
    );
}
