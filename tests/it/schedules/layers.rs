//! An operator's word counts for more than the environment's, and that for more than code; a deploy undoes nothing.

use std::process::Command;

use queue::schedule::{self, Change, Schedule, ScheduleView};
use queue::{Job, JobContext, JobError};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgPool};
use tests::binary;
use tests::database::Database;

/// Does nothing.
#[derive(Debug, Serialize, Deserialize)]
struct Tick {
    release: u16,
}

impl Job for Tick {
    const KIND: &'static str = "test.tick";
    const QUEUE: &'static str = "test";

    async fn run(self, _: &mut JobContext<'_>) -> Result<(), JobError> {
        Ok(())
    }
}

/// What this release says of the schedule.
fn of(name: &str, release: u16, spec: &str) -> Schedule {
    Schedule::of(name, &Tick { release }, spec).unwrap()
}

async fn declare(conn: &mut PgConnection, schedule: Schedule) -> ScheduleView {
    let name = schedule.name().to_owned();
    schedule::declare(conn, &[schedule]).await.unwrap();
    get(conn, &name).await
}

async fn get(conn: &mut PgConnection, name: &str) -> ScheduleView {
    schedule::get(conn, name).await.unwrap()
}

/// Who decides, what counts, and for which release the job is.
fn told(view: &ScheduleView) -> (&str, &str, u64) {
    (view.source, &view.spec, view.payload["release"].as_u64().unwrap())
}

#[tokio::test]
async fn each_layer_counts_for_more_than_the_one_below_and_is_kept() {
    let pool = Database::create().await.pool(2).await;
    let mut conn = pool.acquire().await.unwrap();
    assert_eq!(told(&declare(&mut conn, of("s", 1, "@daily")).await), ("code", "@daily", 1));
    assert_eq!(told(&declare(&mut conn, of("s", 2, "@weekly")).await), ("code", "@weekly", 2), "nobody changed it");
    let configured = of("s", 2, "@weekly").configured("TZ=Europe/London 30 1 * * *").unwrap();
    let view = declare(&mut conn, configured.clone()).await;
    assert_eq!((told(&view), view.time_zone.as_str()), (("environment", "30 1 * * *", 2), "Europe/London"));
    let declared = view.declared.unwrap();
    assert_eq!((declared.spec.as_str(), declared.time_zone.as_str()), ("@weekly", "UTC"));
    let change = Change { spec: Some("@yearly".to_owned()), ..Change::default() };
    schedule::change(&mut conn, "s", &change).await.unwrap();
    assert_eq!(told(&get(&mut conn, "s").await), ("operator", "@yearly", 2));
    // The next release, with another environment.
    let view = declare(&mut conn, of("s", 3, "@monthly").configured("@every 7m").unwrap()).await;
    assert_eq!(told(&view), ("operator", "@yearly", 2), "a deploy undoes nothing");
    assert_eq!((view.declared.unwrap().spec, view.configured.unwrap().spec), ("@monthly".into(), "@every 7m".into()));
    schedule::revert(&mut conn, "s").await.unwrap();
    let view = get(&mut conn, "s").await;
    assert_eq!(told(&view), ("environment", "@every 7m", 3), "at once, and by the newest release");
    assert_eq!((view.next[0].timestamp() % 420, view.next.len()), (0, 10));
    assert_eq!(told(&declare(&mut conn, of("s", 3, "@monthly")).await), ("code", "@monthly", 3));
}

#[tokio::test]
async fn off_never_ticks_and_can_be_run_by_hand() {
    let pool = Database::create().await.pool(2).await;
    let mut conn = pool.acquire().await.unwrap();
    let view = declare(&mut conn, of("s", 1, "@every 1s").configured("off").unwrap()).await;
    assert_eq!((told(&view), view.next.len()), (("environment", "off", 1), 0));
    let due: Option<chrono::DateTime<chrono::Utc>> =
        sqlx::query_scalar("select next_at from queue.schedule").fetch_one(&mut *conn).await.unwrap();
    assert_eq!(due, None, "nobody looks at it");
    assert!(schedule::run_now(&mut conn, "s").await.unwrap().created);
    let view = declare(&mut conn, of("s", 1, "@every 1s")).await;
    assert_eq!((told(&view), view.next.len()), (("code", "@every 1s", 1), 10), "it ticks again");
}

#[tokio::test]
async fn a_configured_time_keeps_its_hour_when_the_clocks_change() {
    let schedule = of("s", 1, "@daily").configured("TZ=Europe/London 30 1 * * *").unwrap();
    let from = |text: &str| text.parse().unwrap();
    let next = |text: &str| schedule.next_after(from(text)).unwrap().to_rfc3339();
    assert_eq!(
        next("2026-03-28T12:00:00Z"),
        "2026-03-29T01:00:00+00:00",
        "half past one is skipped: the end of the gap"
    );
    assert_eq!(next("2026-03-29T12:00:00Z"), "2026-03-30T00:30:00+00:00");
    assert_eq!(next("2026-10-24T12:00:00Z"), "2026-10-25T00:30:00+00:00", "the first of two");
    assert_eq!(next("2026-10-25T00:30:00Z"), "2026-10-26T01:30:00+00:00");
}

async fn declare_all(pool: PgPool, release: u16, spec: &'static str) {
    let schedules: Vec<Schedule> = (0..20).map(|number| of(&format!("s{number}"), release, spec)).collect();
    schedule::declare(&mut pool.acquire().await.unwrap(), &schedules).await.unwrap();
}

#[tokio::test]
async fn of_two_that_start_at_once_one_decides_all_and_operators_are_heard() {
    let pool = Database::create().await.pool(4).await;
    declare_all(pool.clone(), 0, "@yearly").await;
    let change = Change { spec: Some("@hourly".to_owned()), ..Change::default() };
    schedule::change(&mut pool.acquire().await.unwrap(), "s7", &change).await.unwrap();
    for round in 0..10 {
        let (one, two) = (2 * round + 1, 2 * round + 2);
        let started = [
            tokio::spawn(declare_all(pool.clone(), one, "@daily")),
            tokio::spawn(declare_all(pool.clone(), two, "@weekly")),
        ];
        for start in started {
            start.await.unwrap();
        }
        let all = schedule::list(&mut pool.acquire().await.unwrap()).await.unwrap();
        let mut told: Vec<_> = all.iter().filter(|view| view.name != "s7").map(told).collect();
        told.dedup();
        let expected = [("code", "@daily", u64::from(one)), ("code", "@weekly", u64::from(two))];
        assert!(told.len() == 1 && expected.contains(&told[0]), "{told:?}");
        let operators = all.iter().find(|view| view.name == "s7").unwrap();
        assert_eq!((operators.source, operators.spec.as_str()), ("operator", "@hourly"));
    }
}

#[test]
fn a_wrong_value_is_refused_by_name_before_anything_starts() {
    let folder = tempfile::tempdir().unwrap();
    let rows = [
        ("SCHEDULE_LEDGER_RECONCILE_FULL", "0 25 * * *", "SCHEDULE_LEDGER_RECONCILE_FULL: `25` is no hour"),
        ("SCHEDULE_LEDGER_RECONCILE", "@daily", "SCHEDULE_LEDGER_RECONCILE: there is no such schedule"),
    ];
    for (name, value, told) in rows {
        let mut command = Command::new(binary::path());
        let output = command.arg("up").arg("--dir").arg(folder.path()).env(name, value).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(told), "{said}");
    }
}
