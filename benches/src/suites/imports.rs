//! Files of products over HTTP: from the first byte of the upload to the commit of the last row, with the client, API,
//! worker and PostgreSQL on one machine.

use std::fmt::Write;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use sqlx::PgPool;

use super::api::admin_key;
use crate::cpu;
use crate::load::Connection;
use crate::report::Report;
use crate::roles::Roles;
use crate::server::Server;

/// Rows of the file that is timed to its end.
const ROWS: usize = 100_000;
/// The longest file that the API takes.
const FILE_BYTES_MAX: usize = 100 * 1024 * 1024;

/// Adds `api.import_rows`, `api.import_upload_mb` and the memory that it took.
pub(crate) async fn run(quick: bool, report: &mut Report) -> Result<()> {
    let server = Server::start().await?;
    let pool = server.pool(2).await?;
    let key = admin_key(&pool).await?;
    server.settle().await?;
    let roles = Roles::start(&server).await?;
    let rounds = if quick { 1 } else { 3 };
    let mut rates = Vec::new();
    for round in 0..rounds {
        let file = products(round, ROWS, usize::MAX, "");
        let took = import(&roles, &key, &pool, &file).await?;
        rates.push(ROWS as f64 / took.as_secs_f64());
    }
    report.add_median("api.import_rows", rates, "rows/s");
    let file = products(rounds, usize::MAX, FILE_BYTES_MAX, &"long words ".repeat(300));
    let began = Instant::now();
    send(&roles, &key, &file).await?;
    report.add("api.import_upload_mb", file.len() as f64 / 1e6 / began.elapsed().as_secs_f64(), "MB/s");
    until_over(&pool).await?;
    report.add("api.import_api_peak_mb", cpu::memory_peak_mb(roles.api_pid()), "MB");
    report.add("api.import_worker_peak_mb", roles.worker_pid().map_or(0.0, cpu::memory_peak_mb), "MB");
    Ok(())
}

/// Sends the file and waits until its job is over; returns how long both took.
async fn import(roles: &Roles, key: &str, pool: &PgPool, file: &str) -> Result<Duration> {
    let began = Instant::now();
    send(roles, key, file).await?;
    until_over(pool).await?;
    let took = began.elapsed();
    let refused: i64 =
        sqlx::query_scalar("select (sum(refused + existing))::bigint from app.import").fetch_one(pool).await?;
    ensure!(refused == 0, "{refused} rows did not become products");
    Ok(took)
}

async fn send(roles: &Roles, key: &str, file: &str) -> Result<()> {
    let head = format!(
        "POST /api/v1/imports?kind=products HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {key}\r\ncontent-type: text/csv\r\n",
        roles.api,
    );
    let status = Connection::open(roles.api).await?.post(&head, file).await?;
    ensure!(status == 202, "the file was answered with {status}");
    Ok(())
}

async fn until_over(pool: &PgPool) -> Result<()> {
    let began = Instant::now();
    let open = "select exists (select from app.import where state <> 'finished')";
    while sqlx::query_scalar(open).fetch_one(pool).await? {
        ensure!(began.elapsed() < Duration::from_secs(300), "an import does not end");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// A file of products, this many rows or bytes at most.
fn products(round: usize, rows: usize, bytes: usize, description: &str) -> String {
    let mut file = "sku,name,price,currency,description\n".to_owned();
    for row in 0..rows {
        let before = file.len();
        writeln!(file, "S-{round}-{row},White hanging heart t-light holder {row},2.55,GBP,{description}")
            .expect("writing to a string cannot fail");
        if file.len() > bytes {
            file.truncate(before);
            break;
        }
    }
    file
}
