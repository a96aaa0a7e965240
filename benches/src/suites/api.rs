//! Transactions over HTTP: from the request to the ledger, with load, API, worker and PostgreSQL on one machine.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, Utc};
use ledger::{AccountId, Book};
use sqlx::PgPool;
use uuid::Uuid;

use super::ledger::fund;
use crate::cpu;
use crate::load::{Seen, post_until, window};
use crate::report::Report;
use crate::roles::Roles;
use crate::server::Server;
use crate::zipf::Zipf;

/// Accounts that transfers go between.
const ACCOUNTS: usize = 10_000;
/// Connections that each wait for their answer.
const CONNECTIONS: u64 = 64;

/// Adds `api.recorded`, `api.accepted`, the percentiles of the HTTP answer, and who used the processors.
pub(crate) async fn run(quick: bool, report: &mut Report) -> Result<()> {
    let measured = Duration::from_secs(if quick { 8 } else { 20 });
    let server = Server::start().await?;
    let pool = server.pool(4).await?;
    let (key, accounts) = (admin_key(&pool).await?, open_accounts(&pool).await?);
    server.settle().await?;
    let roles = Roles::start(&server).await?;
    let span = window(Duration::from_secs(3), measured);
    let load = tokio::spawn(load(roles.api, key, accounts, span));
    tokio::time::sleep_until(span.0.into()).await;
    let (from, used) = (now(&pool).await?, processors(&server, &roles));
    tokio::time::sleep_until(span.1.into()).await;
    let (to, used_then) = (now(&pool).await?, processors(&server, &roles));
    let mut seen = load.await??;
    ensure!(seen.other == 0, "{} answers were no 202", seen.other);
    let seconds = (to - from).as_seconds_f64();
    let waiting = wait_until_recorded(&pool).await?;
    report.add("api.recorded", count(&pool, "recorded_at", from, to).await? / seconds, "transactions/s");
    report.add("api.accepted", count(&pool, "created_at", from, to).await? / seconds, "transactions/s");
    report.add("api.answer_p50", seen.took.percentile_ms(50), "ms");
    report.add("api.answer_p99", seen.took.percentile_ms(99), "ms");
    report.add("api.backlog_gone_after", waiting.as_secs_f64(), "s");
    for ((name, before), (_, after)) in used.iter().zip(used_then) {
        report.add(&format!("api.cpu.{name}"), (after - before) / seconds, "cores");
    }
    Ok(())
}

/// Keeps all connections busy until the end of the window.
async fn load(api: SocketAddr, key: String, accounts: Vec<AccountId>, span: (Instant, Instant)) -> Result<Seen> {
    let head = format!(
        "POST /api/v1/transactions HTTP/1.1\r\nhost: {api}\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\n"
    );
    let zipf = Zipf::new(ACCOUNTS, 0);
    let connections = (1..=CONNECTIONS).map(|seed| {
        let (head, accounts, mut zipf) = (head.clone(), accounts.clone(), zipf.with_seed(seed));
        let body = move || {
            let (from, to) = zipf.next_pair();
            let (from, to) = (accounts[from], accounts[to]);
            format!(
                r#"{{"type":"transfer","from":"{from}","to":"{to}","amount":{{"amount":"0.01","currency":"GBP"}}}}"#
            )
        };
        tokio::spawn(async move { post_until(api, &head, body, 202, span).await })
    });
    let mut all = Seen::default();
    for connection in connections.collect::<Vec<_>>() {
        let seen = connection.await??;
        all.took.merge(seen.took);
        all.other += seen.other;
    }
    Ok(all)
}

/// Processor seconds so far, by whose they are.
fn processors(server: &Server, roles: &Roles) -> [(&'static str, f64); 4] {
    [
        ("api", cpu::seconds(roles.api_pid())),
        ("worker", cpu::seconds(roles.worker_pid())),
        ("postgres", cpu::seconds(server.pid())),
        ("load", cpu::seconds_alone(std::process::id())),
    ]
}

/// The key of a new administrator.
pub(super) async fn admin_key(pool: &PgPool) -> Result<String> {
    let mut tx = pool.begin().await?;
    domain::setup::open_cash_accounts(&mut tx, Book::MAIN).await?;
    let key = domain::setup::create_admin(&mut tx, Book::MAIN).await?;
    tx.commit().await?;
    Ok(key.context("a new database has no administrator")?.reveal().to_owned())
}

/// Funded ledger accounts, each the open wallet of a user.
pub(super) async fn open_accounts(pool: &PgPool) -> Result<Vec<AccountId>> {
    let accounts = fund(pool, ACCOUNTS).await?;
    let ids: Vec<Uuid> = accounts.iter().map(|account| account.0).collect();
    let owners: Vec<Uuid> = accounts.iter().map(|_| Uuid::now_v7()).collect();
    sqlx::query(
        "insert into app.account_user (shard, book_id, id, email, name, role)
         select $1, $2, owner, owner || '@example.org', 'Somebody', 'user'
         from unnest($3::uuid[]) as owner",
    )
    .bind(Book::MAIN.shard)
    .bind(Book::MAIN.id)
    .bind(&owners)
    .execute(pool)
    .await?;
    sqlx::query(
        "insert into app.wallet (shard, book_id, account_id, owner_id, purpose, currency, state, opened_at)
         select $1, $2, account, owner, 'wallet', 'GBP', 'open', now()
         from unnest($3::uuid[], $4::uuid[]) as wallet (account, owner)",
    )
    .bind(Book::MAIN.shard)
    .bind(Book::MAIN.id)
    .bind(&ids)
    .bind(&owners)
    .execute(pool)
    .await?;
    Ok(accounts)
}

async fn now(pool: &PgPool) -> Result<DateTime<Utc>> {
    Ok(sqlx::query_scalar("select clock_timestamp()").fetch_one(pool).await?)
}

/// Transactions whose `column` lies in the window, by the database's clock.
async fn count(pool: &PgPool, column: &str, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<f64> {
    let statement = format!("select count(*) from app.transaction where {column} >= $1 and {column} < $2");
    let count: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(statement)).bind(from).bind(to).fetch_one(pool).await?;
    Ok(count as f64)
}

/// How long it takes from now until nothing is pending; none may have been rejected.
async fn wait_until_recorded(pool: &PgPool) -> Result<Duration> {
    let started = Instant::now();
    let left = "select exists (select from app.transaction where status = 'pending')";
    while sqlx::query_scalar(left).fetch_one(pool).await? {
        ensure!(started.elapsed() < Duration::from_secs(120), "transactions stay pending");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let waited = started.elapsed();
    let rejected = "select count(*) from app.transaction where status = 'rejected'";
    let rejected: i64 = sqlx::query_scalar(rejected).fetch_one(pool).await?;
    ensure!(rejected == 0, "{rejected} transactions were rejected");
    Ok(waited)
}
