//! What the Merkle log costs of a posting: hashing leaves and tree, and writing the tiles.

use std::time::{Duration, Instant};

use anyhow::Result;
use ledger::leaf::{Leaf, LeafLeg};
use ledger::merkle::leaf_hash;
use ledger::merkle::tiles::{Appender, Tile};
use ledger::{Act, Currency, TransactionId};
use sqlx::{Connection, PgPool};
use uuid::Uuid;

use super::book::{ACCOUNTS, Funded};
use super::post::rate;
use crate::report::Report;
use crate::server::Server;

/// Batches of 1,000.
const BATCHES: usize = 100;
const BATCH: usize = 1_000;

/// Adds `ledger.merkle_cost_pct`: the time for encoding and hashing, for the tree and for writing the same tiles by
/// themselves, by the time of the posting.
pub(super) async fn measure(server: &Server, report: &mut Report) -> Result<()> {
    let mut book = Funded::book(server, ACCOUNTS).await?;
    let batches = book.batches(BATCHES * BATCH, BATCH);
    let whole = rate(&mut *book.pool.acquire().await?, &book.memory, &batches).await?;
    let (hashing, tiles) = hash(&book);
    let writing = write(&book.pool, &tiles).await?;
    let of_tree = (hashing + writing).as_secs_f64() / (BATCHES * BATCH) as f64;
    report.add("ledger.merkle_cost_pct", 100.0 * of_tree * whole, "%");
    Ok(())
}

/// How long the leaves of as many transfers take, and the tiles that they fill.
fn hash(book: &Funded) -> (Duration, Vec<Tile>) {
    let (from, to) = (book.accounts[0], book.accounts[1]);
    let now = chrono::DateTime::UNIX_EPOCH;
    let leg = |account, amount| LeafLeg { account, currency: Currency::GBP, amount };
    let leaf = |seq| Leaf {
        book: 1,
        seq,
        id: TransactionId(Uuid::from_u128(seq as u128)),
        recorded_at: now,
        effective_at: now,
        code: 1,
        act: Act::Post,
        metadata_hash: [0; 32],
        legs: vec![leg(from, -1), leg(to, 1)],
    };
    let leaves: Vec<Leaf> = (0..(BATCHES * BATCH) as i64).map(leaf).collect();
    let started = Instant::now();
    let mut appender = Appender::empty();
    for batch in leaves.chunks(BATCH) {
        batch.iter().for_each(|leaf| appender.push(leaf_hash(&leaf.encode())));
        std::hint::black_box(appender.frontier().root());
    }
    (started.elapsed(), appender.take_full())
}

/// How long writing these tiles takes, by as many statements as there are batches, in one commit.
async fn write(pool: &PgPool, tiles: &[Tile]) -> Result<Duration> {
    let mut conn = pool.acquire().await?;
    sqlx::query("create table tile (like ledger.tile including all)").execute(&mut *conn).await?;
    let started = Instant::now();
    let mut tx = conn.begin().await?;
    for some in tiles.chunks(tiles.len().div_ceil(BATCHES)) {
        let insert = "insert into tile (book, level, index, root, hashes)
                      select 1, * from unnest($1::smallint[], $2::bigint[], $3::bytea[], $4::bytea[])";
        sqlx::query(insert)
            .bind(some.iter().map(|tile| i16::from(tile.level)).collect::<Vec<_>>())
            .bind(some.iter().map(|tile| tile.index as i64).collect::<Vec<_>>())
            .bind(some.iter().map(|tile| tile.root.to_vec()).collect::<Vec<_>>())
            .bind(some.iter().map(|tile| tile.hashes.clone()).collect::<Vec<_>>())
            .execute(&mut *tx)
            .await?;
    }
    tx.commit().await?;
    Ok(started.elapsed())
}
