//! From the commit to the push: transactions at a steady rate, and one client that follows all that is recorded.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, Utc};
use ledger::AccountId;
use sqlx::PgPool;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::load::{Connection, window};
use crate::percentile::Durations;
use crate::report::Report;
use crate::roles::Roles;
use crate::server::Server;
use crate::suites::api::{admin_key, open_accounts};
use crate::zipf::Zipf;

/// Transactions a second.
const RATE: u32 = 2_000;
/// Connections that they come by, each at its share of the rate.
const CONNECTIONS: u32 = 32;

/// When each commit that has a number was about to commit, by the database's clock: what is counted from, so the disk is in it.
type Commits = HashMap<i64, DateTime<Utc>>;

pub(super) async fn run(quick: bool, report: &mut Report) -> Result<()> {
    let measured = Duration::from_secs(if quick { 8 } else { 30 });
    let server = Server::start().await?;
    let pool = server.pool(4).await?;
    let (key, accounts) = (admin_key(&pool).await?, open_accounts(&pool).await?);
    server.settle().await?;
    let roles = Roles::start(&server).await?;
    let warm_up = Duration::from_secs(3);
    let (span, from) = (window(warm_up, measured), now() + warm_up);
    let follower = tokio::spawn(follow(roles.api, key.clone(), span.1));
    let senders: Vec<_> = (0..CONNECTIONS)
        .map(|seed| tokio::spawn(send(roles.api, key.clone(), accounts.clone(), u64::from(seed), span.1)))
        .collect();
    let mut sent = 0;
    for sender in senders {
        sent += sender.await??;
    }
    let pushed = follower.await??;
    let commits = commits(&pool).await?;
    let mut took = Durations::default();
    for (seq, at) in pushed.into_iter().filter(|(_, at)| *at >= from) {
        let committed_at = commits.get(&seq).context("what is pushed was committed")?;
        took.add((at - committed_at).to_std().unwrap_or_default());
    }
    let seconds = (warm_up + measured).as_secs_f64();
    report.add("events.push_rate", sent as f64 / seconds, "transactions/s");
    report.add("events.push_p50_ms", took.percentile_ms(50), "ms");
    report.add("events.push_p99_ms", took.percentile_ms(99), "ms");
    Ok(())
}

/// Posts transfers at this connection's share of the rate until the end, however long answers take on the average; how many.
async fn send(api: SocketAddr, key: String, accounts: Vec<AccountId>, seed: u64, end: Instant) -> Result<u32> {
    let head = format!(
        "POST /api/v1/transactions HTTP/1.1\r\nhost: {api}\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n"
    );
    let mut connection = Connection::open(api).await?;
    let mut zipf = Zipf::new(accounts.len(), 0).with_seed(seed + 1);
    let mut pace = tokio::time::interval(Duration::from_secs(1) * CONNECTIONS / RATE);
    let mut sent = 0;
    while Instant::now() < end {
        pace.tick().await;
        let (from, to) = zipf.next_pair();
        let (from, to) = (accounts[from], accounts[to]);
        let body = format!(
            r#"{{"type":"transfer","from":"{from}","to":"{to}","amount":{{"amount":"0.01","currency":"GBP"}}}}"#
        );
        let status = connection.post(&head, &body).await?;
        ensure!(status == 202, "a transfer was answered with {status}");
        sent += 1;
    }
    Ok(sent)
}

/// Follows what is recorded until the end: the number of each event's commit, and when it came.
async fn follow(api: SocketAddr, key: String, end: Instant) -> Result<Vec<(i64, DateTime<Utc>)>> {
    let mut stream = BufReader::new(TcpStream::connect(api).await?);
    let request = format!(
        "GET /api/v1/events?kind=transaction.recorded HTTP/1.1\r\nhost: {api}\r\nauthorization: Bearer {key}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let (mut pushed, mut line, mut id) = (Vec::new(), String::new(), None);
    loop {
        line.clear();
        match tokio::time::timeout_at(end.into(), stream.read_line(&mut line)).await {
            Ok(read) => ensure!(read? > 0, "the stream was closed"),
            Err(_elapsed) => return Ok(pushed),
        }
        if let Some(text) = line.strip_prefix("id: ") {
            id = text.split('-').next().and_then(|seq| seq.parse().ok());
        } else if line.starts_with("event: ") {
            pushed.push((id.context("an event has an id")?, now()));
        }
    }
}

/// The clock that the database has, too, as both are of one machine.
#[expect(clippy::disallowed_methods, reason = "it is measured with and decides nothing")]
fn now() -> DateTime<Utc> {
    Utc::now()
}

async fn commits(pool: &PgPool) -> Result<Commits> {
    let rows: Vec<(i64, DateTime<Utc>)> = sqlx::query_as(
        "select number.seq, batch.committed_at
         from app.event_number as number
         join app.event_batch as batch using (shard, xid, at)",
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().collect())
}
