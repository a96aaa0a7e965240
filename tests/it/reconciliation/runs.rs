//! Runs as jobs: asked for, followed, resumed where they failed, and reported.

use std::time::Duration;

use domain::{Error, Role};
use jobs::LEDGER_QUEUE;
use jobs::reconcile;
use jobs::submitted::Submitted;
use queue::Notifier;
use queue::testing::{Outcome, advance, drain, run_one};
use serde_json::json;
use uuid::Uuid;

use super::kit::Stage;

async fn ask(stage: &Stage, is_full: bool) -> Uuid {
    let notifier = Notifier::spawn(stage.pool.clone());
    match reconcile::submit(&stage.pool, &notifier, &stage.admin, (is_full, false), None).await.unwrap() {
        Submitted::Done(asked) => asked.id,
        Submitted::Replayed(kept) => panic!("{kept}"),
    }
}

#[tokio::test]
async fn a_run_is_a_job_that_tells_what_it_found() {
    let stage = Stage::create_without_holds().await;
    let id = ask(&stage, true).await;
    let ran = drain(&stage.pool, &stage.registry, LEDGER_QUEUE).await;
    let ran = ran.iter().find(|ran| ran.id == id).unwrap();
    assert_eq!(ran.outcome, Outcome::Succeeded(Some(json!({ "run_id": id, "is_clean": true, "open": 0 }))));
    let (state, snapshots, is_whole): (String, i32, bool) = sqlx::query_as(
        "select run.state, run.snapshots, run.size = book.size and run.root = book.root and run.verified_size = run.size
         from reconciliation.run as run, ledger.book as book",
    )
    .fetch_one(&stage.pool)
    .await
    .unwrap();
    assert_eq!((state.as_str(), snapshots, is_whole), ("clean", 1, true));
    let told: i64 = stage.scalar("select count(*) from app.event where kind = 'ledger.reconciled'").await;
    assert_eq!(told, 1);
    let user = domain::Principal::of(stage.people[0].principal.user_id, Role::User, stage.people[0].principal.book);
    let notifier = Notifier::spawn(stage.pool.clone());
    let refused = reconcile::submit(&stage.pool, &notifier, &user, (true, false), None).await;
    assert!(matches!(refused, Err(Error::Forbidden(_))));
}

#[tokio::test]
async fn a_run_that_broke_off_goes_on_at_the_step_where_it_was() {
    let stage = Stage::create_without_holds().await;
    // R9 cannot be done until its table is back.
    stage.plant("alter table reconciliation.clearing_account rename to away; insert into reconciliation.away select 0, 1, gen_random_uuid(), '1 s', now()").await;
    let id = ask(&stage, true).await;
    let first = run_one(&stage.pool, &stage.registry, id).await;
    assert!(matches!(first.outcome, Outcome::Retried { .. }), "{first:?}");
    let (step, scanned): (String, i64) =
        sqlx::query_as("select step, scanned from reconciliation.run").fetch_one(&stage.pool).await.unwrap();
    assert_eq!(step, "R8 requests", "the last step that was committed");
    // What comes meanwhile is not part of this run.
    stage.transfers(5).await;
    stage
        .plant(
            "alter table reconciliation.away rename to clearing_account; delete from reconciliation.clearing_account",
        )
        .await;
    advance(&stage.pool, Duration::from_secs(100)).await;
    let second = run_one(&stage.pool, &stage.registry, id).await;
    assert!(matches!(second.outcome, Outcome::Succeeded(_)), "{second:?}");
    let (state, snapshots, after, behind): (String, i32, i64, i64) = sqlx::query_as(
        "select run.state, run.snapshots, run.scanned, book.size - run.size
         from reconciliation.run as run, ledger.book as book",
    )
    .fetch_one(&stage.pool)
    .await
    .unwrap();
    assert_eq!((state.as_str(), snapshots, behind), ("clean", 2, 5));
    assert_eq!(after, scanned, "what was done is not done again");
}
