//! Searches over a million products through HTTP: one word, two words, the beginning of one, a misspelt one.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use domain::products::reindex;
use ledger::Book;
use sqlx::PgPool;
use uuid::Uuid;

use super::api::admin_key;
use crate::load::{Connection, Seen, window};
use crate::report::Report;
use crate::roles::Roles;
use crate::server::Server;

/// The words of the names in the real orders, each with how many names have it.
const WORDS: &str = include_str!("search/words.txt");
/// Connections that each wait for their answer.
const CONNECTIONS: u64 = 4;
/// Products that one statement writes.
const BATCH: usize = 5_000;

/// Adds how fast products are written and counted, and the percentiles of a search.
pub(crate) async fn run(quick: bool, report: &mut Report) -> Result<()> {
    let (products, measured) = if quick { (100_000, 8) } else { (1_000_000, 30) };
    let server = Server::start().await?;
    let pool = server.pool(4).await?;
    let key = admin_key(&pool).await?;
    let words = Words::read();
    let began = Instant::now();
    fill(&pool, &words, products).await?;
    report.add("api.search_filled", products as f64 / began.elapsed().as_secs_f64(), "products/s");
    let began = Instant::now();
    count_words(&pool).await?;
    report.add("api.search_reindexed", products as f64 / began.elapsed().as_secs_f64(), "products/s");
    server.settle().await?;
    let roles = Roles::start(&server).await?;
    let span = window(Duration::from_secs(5), Duration::from_secs(measured));
    let connections =
        (1..=CONNECTIONS).map(|seed| tokio::spawn(load(roles.api, key.clone(), words.clone(), seed, span)));
    let mut all = Seen::default();
    for connection in connections.collect::<Vec<_>>() {
        let seen = connection.await??;
        all.took.merge(seen.took);
        all.other += seen.other;
    }
    ensure!(all.other == 0, "{} answers were no 200", all.other);
    report.add("api.search_p50_ms", all.took.percentile_ms(50), "ms");
    report.add("api.search_p99_ms", all.took.percentile_ms(99), "ms");
    Ok(())
}

/// Words to draw from, by how often they occur.
#[derive(Debug, Clone)]
struct Words {
    words: Vec<&'static str>,
    /// Up to and with each word.
    counts: Vec<u64>,
}

impl Words {
    fn read() -> Words {
        let (mut words, mut counts, mut total) = (Vec::new(), Vec::new(), 0);
        for (word, count) in WORDS.lines().filter_map(|line| line.split_once(' ')) {
            total += count.parse::<u64>().unwrap_or(1);
            words.push(word);
            counts.push(total);
        }
        Words { words, counts }
    }

    fn draw(&self, random: &mut Random) -> &'static str {
        let total = self.counts.last().copied().unwrap_or(1);
        let place = random.below(total);
        self.words[self.counts.partition_point(|count| *count <= place)]
    }

    /// Two to six words.
    fn name(&self, random: &mut Random) -> String {
        let count = 2 + random.below(5);
        (0..count).map(|_| self.draw(random)).collect::<Vec<_>>().join(" ")
    }

    /// What somebody types.
    fn query(&self, random: &mut Random) -> String {
        let letters = |word: &str| word.chars().filter(char::is_ascii_alphabetic).collect::<String>();
        let word = letters(self.draw(random)).to_lowercase();
        match random.below(4) {
            0 => word,
            1 => format!("{word}+{}", letters(self.draw(random))),
            2 => word.chars().take(3).collect(),
            _ => {
                // Two letters change places.
                let mut letters: Vec<char> = word.chars().collect();
                if letters.len() > 3 {
                    letters.swap(1, 2);
                }
                letters.into_iter().collect()
            }
        }
    }
}

/// Numbers that look random and are the same each time (splitmix64).
#[derive(Debug, Clone)]
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

async fn fill(pool: &PgPool, words: &Words, products: usize) -> Result<()> {
    let mut random = Random(0);
    let owner = Uuid::now_v7();
    for start in (0..products).step_by(BATCH) {
        let ids: Vec<Uuid> = (0..BATCH).map(|_| Uuid::now_v7()).collect();
        let names: Vec<String> = (0..BATCH).map(|_| words.name(&mut random)).collect();
        sqlx::query(
            "insert into app.product (shard, book_id, id, owner_id, sku, name, price, currency, category_id)
             select $1, $2, new.id, $3, ($4 + new.place)::text, new.name, 1 + new.place, 'GBP', 1 + new.place % 9
             from unnest($5::uuid[], $6::text[]) with ordinality as new (id, name, place)",
        )
        .bind(Book::MAIN.shard)
        .bind(Book::MAIN.id)
        .bind(owner)
        .bind(i64::try_from(start)?)
        .bind(&ids)
        .bind(&names)
        .execute(pool)
        .await?;
    }
    Ok(())
}

/// What `products.reindex` does.
async fn count_words(pool: &PgPool) -> Result<()> {
    let mut conn = pool.acquire().await?;
    let began_at = reindex::begin(&mut conn, Book::MAIN).await?;
    let mut after = None;
    loop {
        after = reindex::next(&mut conn, Book::MAIN, after).await?.resume_after;
        if after.is_none() {
            return Ok(reindex::end(&mut conn, Book::MAIN, began_at).await?);
        }
    }
}

/// Searches from one connection until the end of the window.
async fn load(api: SocketAddr, key: String, words: Words, seed: u64, (start, end): (Instant, Instant)) -> Result<Seen> {
    let mut connection = Connection::open(api).await?;
    let (mut random, mut seen) = (Random(seed << 32), Seen::default());
    loop {
        let query = words.query(&mut random);
        if query.is_empty() {
            continue;
        }
        let path = format!("/api/v1/products/search?q={query}&limit=20");
        let began = Instant::now();
        if began >= end {
            return Ok(seen);
        }
        let request = format!("GET {path} HTTP/1.1\r\nhost: {api}\r\nauthorization: Bearer {key}\r\n\r\n");
        let status = connection.ask(&request).await?;
        if status != 200 {
            seen.other += 1;
        } else if began >= start {
            seen.took.add(began.elapsed());
        }
    }
}
