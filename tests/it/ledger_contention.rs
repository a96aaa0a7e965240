//! 64 writers at once on ten accounts that may not be below zero. `LEDGER_CONTENTION_SECONDS` sets for how long (3).

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use ledger::posting::{Memory, post_all};
use ledger::{AccountId, Book, Outcome, Posting};
use sqlx::PgPool;
use tests::random::Random;

use crate::ledger_invariants::assert_sound;
use crate::ledger_kit::{Bench, capture, capture_part, chain, hold, reverse_part, transfer, up_to, void};

const WRITERS: u32 = 64;
const WALLETS: usize = 10;

/// What a writer was told.
#[derive(Debug, Default)]
struct Told {
    created: i64,
    refused: i64,
    batches: i64,
}

/// Some postings between hot accounts: much of it cannot be paid for.
fn batch(random: &mut Random, cash: AccountId, wallets: &[AccountId]) -> Vec<Posting> {
    let mut batch = Vec::new();
    for _ in 0..=random.below(8) {
        let from = random.below(WALLETS as u64) as usize;
        let to = (from + 1 + random.below(WALLETS as u64 - 1) as usize) % WALLETS;
        let (from, to, amount) = (wallets[from], wallets[to], i128::from(random.below(400)) + 1);
        let held = hold(from, to, amount, None);
        let sent = transfer(from, to, amount);
        match random.below(8) {
            0 => batch.push(transfer(cash, to, amount / 4 + 1)),
            1 => batch.push(transfer(from, cash, amount)),
            2 => batch.push(up_to(from, to, 1_000)),
            3 => batch.extend([held.clone(), capture(&held)]),
            4 => batch.extend([held.clone(), capture_part(&held, 1), void(&held)]),
            5 => batch.extend(chain(vec![held.clone(), capture_part(&held, 1), transfer(to, from, amount)])),
            6 => batch.extend([sent.clone(), reverse_part(&sent, 1)]),
            _ => batch.push(sent),
        }
    }
    batch
}

async fn write(
    pool: PgPool,
    seed: u64,
    (cash, wallets): (AccountId, Vec<AccountId>),
    memory: Arc<Memory>,
    until: Instant,
) -> Told {
    let (mut random, mut told) = (Random::new(seed), Told::default());
    let mut conn = pool.acquire().await.unwrap();
    while Instant::now() < until {
        let batch = batch(&mut random, cash, &wallets);
        let mut tx = sqlx::Connection::begin(&mut *conn).await.unwrap();
        // Any error at all, of a deadlock or a serialization, would end the test here.
        let outcomes = post_all(&mut tx, Book::MAIN, &batch, &memory).await.unwrap().outcomes;
        tx.commit().await.unwrap();
        let created = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Created { .. })).count() as i64;
        told.created += created;
        told.refused += outcomes.len() as i64 - created;
        told.batches += 1;
    }
    told
}

/// Looks at the bounds from outside for as long as the writers write; returns how often.
async fn watch(pool: PgPool, until: Instant) -> u32 {
    let broken = "select count(*) from ledger.account where not overdraft and balance - held_out < 0";
    let uneven = "select coalesce(sum(balance), 0)::bigint from ledger.account";
    let mut looks = 0;
    while Instant::now() < until {
        let (broken, uneven): (i64, i64) =
            sqlx::query_as(sqlx::AssertSqlSafe(format!("select ({broken}), ({uneven})")))
                .fetch_one(&pool)
                .await
                .unwrap();
        assert_eq!((broken, uneven), (0, 0));
        looks += 1;
    }
    looks
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_writers_break_no_bound_and_meet_no_error() {
    let seconds = std::env::var("LEDGER_CONTENTION_SECONDS").map_or(3, |seconds| seconds.parse().unwrap());
    let mut bench = Bench::create(WALLETS).await;
    let (cash, wallets) = (bench.cash, bench.wallets.clone());
    bench.post(&wallets.iter().map(|wallet| transfer(cash, *wallet, 500)).collect::<Vec<_>>()).await;
    let pool = bench.database.pool(WRITERS + 2).await;
    let until = Instant::now() + Duration::from_secs(seconds);
    // As those of three processes: what one remembers is out of date as soon as another one has posted.
    let memories: [Arc<Memory>; 3] = Default::default();
    let memory = |n: u64| memories[n as usize % memories.len()].clone();
    let accounts = (cash, wallets.clone());
    let write = |n| write(pool.clone(), n, accounts.clone(), memory(n), until);
    let writers = (0..u64::from(WRITERS)).map(|n| tokio::spawn(write(n)));
    let (told, looks) = futures::join!(join_all(writers), watch(pool.clone(), until));
    let told: Vec<Told> = told.into_iter().map(|writer| writer.unwrap()).collect();
    let sum = |of: fn(&Told) -> i64| told.iter().map(of).sum::<i64>();
    let (created, refused, batches) = (sum(|one| one.created), sum(|one| one.refused), sum(|one| one.batches));
    println!("{batches} batches in {seconds} s: {created} recorded, {refused} refused; {looks} looks from outside");
    assert!(told.iter().all(|one| one.batches > 0), "nobody is kept waiting for ever");
    assert!(created > 0 && refused > 0 && looks > 0);
    let size = sqlx::query_scalar("select size from ledger.book where book = 1");
    let size: i64 = size.fetch_one(&mut bench.conn).await.unwrap();
    assert_eq!(size, created + WALLETS as i64, "what was acknowledged is there, and nothing else");
    assert_sound(&mut bench).await;
}
