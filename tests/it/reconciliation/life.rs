//! A break's life: found, assigned, written off, found again, resolved, opened again, repaired; and its age.

use domain::reconciliation::breaks::{self, Break, Filter, Transition};
use domain::{Error, Page};

use super::kit::Stage;

async fn open(stage: &Stage) -> Vec<Break> {
    let mut conn = stage.pool.acquire().await.unwrap();
    breaks::list(&mut conn, &stage.admin, &Filter { page: Page::default(), ..Filter::default() }).await.unwrap().items
}

async fn change(stage: &Stage, found: &Break, state: &str, assignee: Option<&str>) -> Result<(), Error> {
    let wanted = Transition {
        state: state.to_owned(),
        assignee: assignee.map(str::to_owned),
        why: format!("because it is to be {state}"),
    };
    let mut tx = stage.pool.begin().await.unwrap();
    let changed = breaks::change(&mut tx, &stage.admin, found.id, &wanted).await;
    tx.commit().await.unwrap();
    changed
}

async fn life(stage: &Stage, found: &Break) -> Vec<String> {
    let mut conn = stage.pool.acquire().await.unwrap();
    let (_, changes) = breaks::find(&mut conn, &stage.admin, found.id).await.unwrap();
    changes.into_iter().map(|change| change.to_state).collect()
}

#[tokio::test]
async fn a_break_is_carried_with_its_age_until_somebody_says_why_it_ends() {
    let stage = Stage::create_without_holds().await;
    stage.incremental().await;
    stage
        .plant("update ledger.account set held_in = 250000, held_out = 250000 where overdraft and currency = 'GBP'")
        .await;
    let first = stage.incremental().await;
    assert_eq!(stage.found(first).await, ["R4 held".to_owned()].into());
    let found = open(&stage).await.remove(0);
    assert_eq!(
        (found.amount, found.currency.as_deref(), found.severity.as_str()),
        (Some(500_000), Some("GBP"), "high")
    );
    let events: i64 = stage.scalar("select count(*) from app.event where kind = 'ledger.break'").await;
    assert_eq!(events, 1);

    assert!(matches!(change(&stage, &found, "assigned", None).await, Err(Error::Invalid(_))));
    change(&stage, &found, "assigned", Some("ada@example.org")).await.unwrap();
    stage.plant("update reconciliation.break set first_seen_at = first_seen_at - interval '6 days'").await;
    stage.incremental().await;
    let found = open(&stage).await.remove(0);
    assert_eq!((found.state.as_str(), found.seen, found.severity.as_str()), ("assigned", 2, "critical"), "it has aged");
    let events: i64 = stage.scalar("select count(*) from app.event where kind = 'ledger.break'").await;
    assert_eq!(events, 1, "it is not new any more");

    change(&stage, &found, "written_off", None).await.unwrap();
    stage.incremental().await;
    assert!(open(&stage).await.is_empty(), "what was written off stays so while it is as large as it was");
    stage
        .plant("update ledger.account set held_in = 250001, held_out = 250001 where overdraft and currency = 'GBP'")
        .await;
    stage.incremental().await;
    let found = open(&stage).await.remove(0);
    change(&stage, &found, "resolved", None).await.unwrap();
    stage.incremental().await;
    assert_eq!(open(&stage).await.len(), 1, "it was not resolved");
    assert_eq!(life(&stage, &found).await, ["open", "assigned", "written_off", "open", "resolved", "open"]);
    // R12 has nothing to say: every change has its word.
    assert_eq!(stage.found(stage.incremental().await).await, ["R4 held".to_owned()].into());
}

#[tokio::test]
async fn safe_repairs_are_made_when_asked_for_and_told_of() {
    let stage = Stage::create().await;
    stage.full().await;
    stage.transfers(10).await;
    let (ada, bob) = (stage.people[0].wallet, stage.people[1].wallet);
    let lost = stage.accept(stage.people[0].principal, vec![tests::people::transfer(ada, bob, 9)]).await[0];
    stage.plant(&format!("delete from queue.job where id = '{lost}'")).await;
    stage.plant(&format!("update ledger.account set balance = balance + 700, version = 9999 where id = '{bob}'")).await;
    stage.plant(&format!("update ledger.account set held_out = held_out + 5 where id = '{ada}'")).await;
    stage.plant("delete from ledger.open_hold where seq = (select max(seq) from ledger.open_hold)").await;
    let plain = stage.incremental().await;
    assert!(stage.found(plain).await.len() >= 5, "{:?}", stage.found(plain).await);
    let healed: i32 = stage.scalar("select max(healed) from reconciliation.run").await;
    assert_eq!(healed, 0, "nobody asked for repair");
    stage.run(false, true).await;
    let healed: i32 = stage.scalar("select max(healed) from reconciliation.run").await;
    assert!(healed >= 5, "{healed}");
    queue::testing::drain(&stage.pool, &stage.registry, jobs::LEDGER_QUEUE).await;
    let status: String = stage.scalar(&format!("select status from app.transaction where id = '{lost}'")).await;
    assert_eq!(status, "recorded", "under the id that it had");
    let after = stage.incremental().await;
    assert!(stage.found(after).await.is_empty(), "{:?}", stage.found(after).await);
    let unsaid: i64 = stage
        .scalar("select count(*) from reconciliation.break where healed_at is not null and resolution not like 'repaired: %'")
        .await;
    assert_eq!(unsaid, 0);
}

#[tokio::test]
async fn a_full_run_closes_what_is_gone_and_says_so() {
    let stage = Stage::create_without_holds().await;
    stage.plant("update app.wallet set currency = 'EUR' where currency = 'GBP' and owner_id is not null").await;
    stage.full().await;
    assert_eq!(open(&stage).await.len(), 3);
    stage.plant("update app.wallet set currency = 'GBP' where currency = 'EUR' and owner_id is not null").await;
    let incremental = stage.incremental().await;
    assert_eq!(open(&stage).await.len(), 3, "an incremental run does not look for it");
    let carried: i32 =
        stage.scalar(&format!("select carried from reconciliation.run where id = '{incremental}'")).await;
    assert_eq!(carried, 3);
    let found = open(&stage).await.remove(0);
    stage.full().await;
    assert!(open(&stage).await.is_empty());
    assert_eq!(life(&stage, &found).await, ["open", "resolved"]);
}
