//! Holds expire: each once, under an id that follows from the hold's, and within a second of their time.

use chrono::{DateTime, TimeDelta, Utc};
use jobs::expire_holds::{self, ExpireHolds};
use jobs::{LEDGER_QUEUE, State};
use ledger::keys::SigningKey;
use ledger::leaf::Leaf;
use ledger::posting::post;
use ledger::{Act, Book, Outcome, Posting, Refusal, TransactionId, holds};
use queue::Job;
use queue::backend::ConsumerConfig;
use queue::testing::drain;
use sqlx::PgPool;
use tokio::sync::oneshot;
use uuid::Uuid;
use workers::child::{self, ChildConfig};

use crate::ledger_invariants::assert_sound;
use crate::ledger_kit::{Bench, capture, expire, hold, transfer};

/// A bench with 100 in its first wallet, and holds of one each, for the second: as many as there are times.
async fn with_holds(times: &[TimeDelta]) -> (Bench, Vec<Posting>) {
    let mut bench = Bench::create(2).await;
    let (cash, a, b) = (bench.cash, bench.wallets[0], bench.wallets[1]);
    let now = bench.now().await;
    let held: Vec<Posting> = times.iter().map(|time| hold(a, b, 1, Some(now + *time))).collect();
    let mut batch = vec![transfer(cash, a, 100)];
    batch.extend(held.iter().cloned());
    let outcomes = bench.post(&batch).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Created { .. })), "{outcomes:?}");
    (bench, held)
}

fn expires_at(hold: &Posting) -> DateTime<Utc> {
    match hold.act {
        Act::Hold { expires_at: Some(at) } => at,
        _ => unreachable!("it is a hold with an end"),
    }
}

#[test]
fn an_expiry_has_the_id_that_is_documented() {
    // echo -n bitnexus/expiry/v1 | cat - <(head -c 16 /dev/zero) | sha256sum, with the bits of a UUIDv8.
    let id = holds::expiry_id(TransactionId(Uuid::nil()));
    assert_eq!(id.0.get_version_num(), 8);
    assert_eq!(id.to_string(), "8447865d-1ff3-8433-aa26-ac9a2f999d7b");
}

#[tokio::test]
async fn those_that_are_due_expire_in_batches_and_no_others() {
    let soon = TimeDelta::milliseconds(300);
    let (mut bench, held) = with_holds(&[soon, soon, soon, soon, TimeDelta::days(1)]).await;
    assert_eq!(holds::expire(&mut bench.conn, Book::MAIN, 10).await.unwrap().ended.len(), 0);
    bench.post_one(&capture(&held[0])).await;
    bench.until(expires_at(&held[0])).await;
    assert_eq!(holds::books_with_due(&mut bench.conn, 0).await.unwrap(), [Book::MAIN]);
    // Another one was let expire under another id.
    let other = expire(&held[1]);
    assert!(matches!(bench.post_one(&other).await, Outcome::Created { .. }));
    assert_eq!(holds::expire(&mut bench.conn, Book::MAIN, 1).await.unwrap().ended.len(), 1);
    assert_eq!(holds::expire(&mut bench.conn, Book::MAIN, 10).await.unwrap().ended.len(), 1);
    assert_eq!(holds::expire(&mut bench.conn, Book::MAIN, 10).await.unwrap().ended.len(), 0);
    assert_eq!((bench.stand(bench.wallets[0]).await, bench.stand(bench.wallets[1]).await), ((99, 1, 0), (1, 0, 1)));
    assert!(holds::books_with_due(&mut bench.conn, 0).await.unwrap().is_empty());
    let again = Posting { id: holds::expiry_id(held[2].id), ..expire(&held[2]) };
    let answers = bench.post(&[again, expire(&held[2])]).await;
    // The code and the metadata are those of the ledger's own.
    assert!(matches!(answers[0], Outcome::ExistsWithDifferent(_)), "{answers:?}");
    assert_eq!(answers[1], Outcome::Refused(Refusal::HoldEnded));
    assert_sound(&mut bench).await;
}

/// Runs the jobs of a database until the sender is dropped.
fn work(pool: &PgPool) -> oneshot::Sender<()> {
    let registry = jobs::registry(State::of_key(SigningKey::generate("test.example/main").unwrap()));
    let config = ChildConfig::new(ConsumerConfig::new(pool.clone(), registry));
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async {
        let _ = stopped.await;
    };
    tokio::spawn(async move { child::run(config, shutdown).await.unwrap() });
    stop
}

/// How long after its end the hold was freed, once it is.
async fn late(bench: &mut Bench, hold: &Posting) -> TimeDelta {
    loop {
        let leaf = sqlx::query_scalar("select leaf from ledger.transaction where resolves = $1").bind(hold.id.0);
        let leaf: Option<Vec<u8>> = leaf.fetch_optional(&mut bench.conn).await.unwrap();
        if let Some(leaf) = leaf {
            return Leaf::decode(&leaf).unwrap().recorded_at - expires_at(hold);
        }
    }
}

#[tokio::test]
async fn an_expired_hold_is_free_within_a_second() {
    let (mut bench, _) = with_holds(&[]).await;
    let pool = bench.database.pool(10).await;
    let (a, b) = (bench.wallets[0], bench.wallets[1]);
    let _working = work(&pool);
    let now = bench.now().await;
    let times = [400, 450, 1_300, 2_700, 3_100].map(|millis| now + TimeDelta::milliseconds(millis));
    let held = times.map(|time| hold(a, b, 10, Some(time)));
    let mut tx = pool.begin().await.unwrap();
    let outcomes = post(&mut tx, Book::MAIN, &held).await.unwrap();
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Created { .. })), "{outcomes:?}");
    expire_holds::submit(&mut tx, Book::MAIN, &held).await.unwrap();
    tx.commit().await.unwrap();
    for hold in &held {
        let late = late(&mut bench, hold).await;
        assert!((TimeDelta::zero()..TimeDelta::seconds(1)).contains(&late), "{late}");
    }
    assert_eq!(bench.stand(a).await, (100, 0, 0));
    assert_sound(&mut bench).await;
}

#[tokio::test]
async fn a_hold_that_nobody_submitted_is_found_by_the_sweep() {
    let (mut bench, held) = with_holds(&[TimeDelta::milliseconds(200), TimeDelta::milliseconds(210)]).await;
    bench.until(expires_at(&held[1])).await;
    let pool = bench.database.pool(5).await;
    let registry = jobs::registry(State::of_key(SigningKey::generate("test.example/main").unwrap()));
    let sweep: ExpireHolds = serde_json::from_str(r#"{"shard": 0, "of": null}"#).unwrap();
    let mut conn = pool.acquire().await.unwrap();
    queue::enqueue(&mut conn, &[queue::NewJob::of(&sweep).unwrap()]).await.unwrap();
    let ran = drain(&pool, &registry, LEDGER_QUEUE).await;
    assert_eq!(ran.iter().map(|one| one.kind.as_str()).collect::<Vec<_>>(), [ExpireHolds::KIND]);
    assert_eq!(bench.stand(bench.wallets[0]).await, (100, 0, 0));
    assert_sound(&mut bench).await;
}
