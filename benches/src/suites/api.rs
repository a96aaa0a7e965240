//! Transactions over HTTP: from the request to the ledger, with load, API, worker and PostgreSQL on one machine.

pub(super) mod accounts;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, Utc};
use ledger::{AccountId, Book};
use sqlx::PgPool;
use uuid::Uuid;

use crate::load::{Seen, ask_from_many, window};
use crate::report::Report;
use crate::roles::Roles;
use crate::server::Server;
use crate::zipf::Zipf;
use crate::{cpu, load};

/// Connections that each wait for their answer.
const CONNECTIONS: u64 = 64;
/// Load before the measured one.
const WARM_UP: Duration = Duration::from_secs(3);

/// Adds `api.recorded`, `api.accepted`, the percentiles of the HTTP answer and who used the processors; then, without
/// workers, `api.get_transaction` and `api.post_transaction`.
pub(crate) async fn run(quick: bool, report: &mut Report) -> Result<()> {
    let measured = Duration::from_secs(if quick { 8 } else { 20 });
    let server = Server::start().await?;
    let pool = server.pool(4).await?;
    let client = Client { key: admin_key(&pool).await?, accounts: accounts::open(&pool, accounts::USUAL).await? };
    server.settle().await?;
    let mut roles = Roles::start(&server).await?;
    recorded(&server, &pool, &roles, &client, measured, report).await?;
    report.add("api.rss_mb", cpu::memory_peak_mb(roles.api_pid()), "MB");
    roles.stop_workers();
    get(&pool, &roles, &client, measured, report).await?;
    post(&roles, &client, measured, report).await
}

/// Sustained load with workers behind it.
async fn recorded(
    server: &Server,
    pool: &PgPool,
    roles: &Roles,
    client: &Client,
    measured: Duration,
    report: &mut Report,
) -> Result<()> {
    let span = window(WARM_UP, measured);
    let load = tokio::spawn(client.transfers(roles.api, span));
    tokio::time::sleep_until(span.0.into()).await;
    // What a start takes is not what is served from.
    cpu::forget_memory_peak(roles.api_pid())?;
    let (from, used) = (now(pool).await?, processors(server, roles));
    tokio::time::sleep_until(span.1.into()).await;
    let (to, used_then) = (now(pool).await?, processors(server, roles));
    let mut seen = load.await??;
    ensure!(seen.other == 0, "{} answers were no 202", seen.other);
    let seconds = (to - from).as_seconds_f64();
    let waiting = wait_until_recorded(pool).await?;
    report.add("api.recorded", count(pool, "recorded_at", from, to).await? / seconds, "transactions/s");
    report.add("api.accepted", count(pool, "created_at", from, to).await? / seconds, "transactions/s");
    report.add("api.answer_p50", seen.took.percentile_ms(50), "ms");
    report.add("api.answer_p99", seen.took.percentile_ms(99), "ms");
    report.add("api.backlog_gone_after", waiting.as_secs_f64(), "s");
    for ((name, before), (_, after)) in used.iter().zip(used_then) {
        report.add(&format!("api.cpu.{name}"), (after - before) / seconds, "cores");
    }
    Ok(())
}

/// Single transactions, read over and over from a thousand.
async fn get(pool: &PgPool, roles: &Roles, client: &Client, measured: Duration, report: &mut Report) -> Result<()> {
    let ids: Vec<Uuid> =
        sqlx::query_scalar("select id from app.transaction order by id desc limit 1000").fetch_all(pool).await?;
    ensure!(!ids.is_empty(), "nothing was recorded");
    let requests = |number: u64| {
        let head = format!("host: {}\r\nauthorization: Bearer {}\r\n\r\n", roles.api, client.key);
        let mut following = ids.clone().into_iter().cycle().skip(number as usize * 15);
        move || {
            let id = following.next().expect("a cycle of some has no end");
            format!("GET /api/v1/transactions/{id} HTTP/1.1\r\n{head}")
        }
    };
    let mut seen = ask_from_many(roles.api, CONNECTIONS, requests, 200, window(WARM_UP, measured)).await?;
    ensure!(seen.other == 0, "{} answers were no 200", seen.other);
    report.add("api.get_transaction", seen.took.count() as f64 / measured.as_secs_f64(), "requests/s");
    report.add("api.get_transaction_p99", seen.took.percentile_ms(99), "ms");
    Ok(())
}

/// Accepted and durable, with nobody recording beside it.
async fn post(roles: &Roles, client: &Client, measured: Duration, report: &mut Report) -> Result<()> {
    let mut seen = client.transfers(roles.api, window(WARM_UP, measured)).await?;
    ensure!(seen.other == 0, "{} answers were no 202", seen.other);
    report.add("api.post_transaction", seen.took.count() as f64 / measured.as_secs_f64(), "requests/s");
    report.add("api.post_transaction_p99", seen.took.percentile_ms(99), "ms");
    Ok(())
}

/// Who asks, and for which accounts.
struct Client {
    key: String,
    accounts: Vec<AccountId>,
}

impl Client {
    /// Keeps all connections busy with transfers until the end of the window.
    fn transfers(
        &self,
        api: SocketAddr,
        span: (Instant, Instant),
    ) -> impl Future<Output = Result<Seen>> + Send + use<> {
        let head = format!(
            "POST /api/v1/transactions HTTP/1.1\r\nhost: {api}\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\n",
            self.key
        );
        let (zipf, accounts) = (Zipf::new(self.accounts.len(), 0), self.accounts.clone());
        let requests = move |number| {
            let (head, accounts, mut zipf) = (head.clone(), accounts.clone(), zipf.with_seed(number));
            move || {
                let (from, to) = zipf.next_pair();
                let (from, to) = (accounts[from], accounts[to]);
                let body = format!(
                    r#"{{"type":"transfer","from":"{from}","to":"{to}","amount":{{"amount":"0.01","currency":"GBP"}}}}"#
                );
                load::post(&head, &body)
            }
        };
        async move { ask_from_many(api, CONNECTIONS, requests, 202, span).await }
    }
}

/// Processor seconds so far, by whose they are.
fn processors(server: &Server, roles: &Roles) -> [(&'static str, f64); 4] {
    [
        ("api", cpu::seconds(roles.api_pid())),
        ("worker", roles.worker_pid().map_or(0.0, cpu::seconds)),
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
