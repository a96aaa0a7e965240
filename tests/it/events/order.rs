//! Fifty writers at once, some of which commit late, and followers that come and go.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use domain::events::log::Most;
use domain::events::{Position, publish};
use ledger::Book;
use sqlx::PgPool;
use tests::database::Database;
use tests::random::Random;

use super::kit::{Written, check_order, event, name, read_on};

/// One after the other, each in a commit of its own: every third behind a lock that others wait for, every fifth held open for long
/// after it was published.
async fn writer(pool: PgPool, number: u64, rounds: u64) -> Vec<Written> {
    let mut random = Random::new(number + 1);
    let mut written = Vec::new();
    for round in 0..rounds {
        let name = format!("{number}.{round}");
        let mut tx = pool.begin().await.unwrap();
        let mut turn = None;
        if (number + round).is_multiple_of(3) {
            // As the ledger does: lock first, publish then.
            let next = "update public.turn set number = number + 1 returning number";
            turn = Some(sqlx::query_scalar::<_, i64>(next).fetch_one(&mut *tx).await.unwrap());
        } else {
            // It has an id long before it publishes.
            sqlx::query("select pg_current_xact_id()").execute(&mut *tx).await.unwrap();
        }
        if (number + round).is_multiple_of(5) && turn.is_none() {
            tokio::time::sleep(Duration::from_millis(random.below(40))).await;
        }
        publish(&mut tx, Book::MAIN, &[event(&name, &["ledger"])]).await.unwrap();
        if (number + round).is_multiple_of(7) && turn.is_none() {
            tokio::time::sleep(Duration::from_millis(random.below(80))).await;
        }
        let began = Instant::now();
        tx.commit().await.unwrap();
        written.push(Written { name, began, ended: Instant::now(), turn });
    }
    written
}

/// Follows until the writers are done and everything is read. Every few looks it is killed in the middle, before it has kept what it
/// read, and goes on from what it had kept.
async fn follower(pool: PgPool, number: u64, done: Arc<AtomicBool>) -> Vec<String> {
    let mut random = Random::new(1_000 + number);
    let (mut kept, mut at): (Vec<String>, Position) = (Vec::new(), Position::START);
    loop {
        let is_last = done.load(Ordering::SeqCst);
        let most = Most { commits: 1 + random.below(20) as i64, events: 1 + random.below(20) as i64 };
        let look = read_on(&pool, at, most);
        let patience = Duration::from_millis(if random.below(4) == 0 { random.below(6) } else { 60_000 });
        let Ok((events, through)) = tokio::time::timeout(patience, look).await else { continue };
        kept.extend(events.iter().map(|event| name(&event.payload)));
        at = through;
        if is_last {
            return kept;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_writers_and_three_followers_agree() {
    let pool = Database::create().await.pool(70).await;
    sqlx::raw_sql("create table public.turn (number bigint); insert into public.turn values (0)")
        .execute(&pool)
        .await
        .unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let followers: Vec<_> =
        (0..3).map(|number| tokio::spawn(follower(pool.clone(), number, Arc::clone(&done)))).collect();
    // One that began before all others, and commits after them.
    let mut late = pool.begin().await.unwrap();
    publish(&mut late, Book::MAIN, &[event("late", &["ledger"])]).await.unwrap();
    let writers: Vec<_> = (0..50).map(|number| tokio::spawn(writer(pool.clone(), number, 20))).collect();
    let mut written = Vec::new();
    for writer in writers {
        written.extend(writer.await.unwrap());
    }
    let began = Instant::now();
    late.commit().await.unwrap();
    written.push(Written { name: "late".to_owned(), began, ended: Instant::now(), turn: None });
    done.store(true, Ordering::SeqCst);
    let mut seen = Vec::new();
    for follower in followers {
        seen.push(follower.await.unwrap());
    }
    check_order(&seen[0], &written);
    assert!(seen[1] == seen[0] && seen[2] == seen[0], "all followers see one order");
    assert_eq!(seen[0].last().map(String::as_str), Some("late"), "what was committed last comes last");
    let numbers: (i64, i64, i64) =
        sqlx::query_as("select count(*), min(seq), max(seq) from app.event_number").fetch_one(&pool).await.unwrap();
    assert_eq!(numbers, (1_001, 1, 1_001), "the numbers have no gaps");
}
