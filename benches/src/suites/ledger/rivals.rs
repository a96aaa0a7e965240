//! What the published SQL of others reaches on the same server: tb-perf's `batch_transfers` (softwaremill/tb-perf,
//! scripts/init-postgresql.sql) and pgledger (pgr0ss/pgledger, pgledger.sql and its vendor's uuid-to-ulid.sql).
//!
//! Their files are looked for in the folder that is given, under these names; they are not part of this repository.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use sqlx::{AssertSqlSafe, PgPool};

use super::Plan;
use super::book::ACCOUNTS;
use crate::report::Report;
use crate::server::{Database, Server};
use crate::zipf::Zipf;

/// Connections that post to pgledger at once: what was fastest on two cores.
const CLIENTS: u64 = 8;

/// Adds `ledger.post_1000.tb-perf`, `ledger.post_100.tb-perf` and `ledger.post_one.pgledger`, with our rate by theirs.
pub(super) async fn measure(plan: &Plan, server: &Server, folder: &Path, report: &mut Report) {
    for batch in [1_000, 100] {
        match tb_perf(plan, server, folder, batch).await {
            Ok(rate) => {
                let (ours, theirs) = (format!("ledger.post_{batch}"), format!("ledger.post_{batch}.tb-perf"));
                report.add(&theirs, rate, "transfers/s");
                report.add_ratio(&format!("{ours}.ratio_to_tb-perf"), &ours, &theirs);
            }
            Err(error) => report.skip("tb-perf", &format!("{error:#}")),
        }
    }
    match pgledger(plan, server, folder).await {
        Ok(rate) => {
            report.add("ledger.post_one.pgledger", rate, "transfers/s");
            report.add_ratio("ledger.post_100.ratio_to_pgledger", "ledger.post_100", "ledger.post_one.pgledger");
        }
        Err(error) => report.skip("pgledger", &format!("{error:#}")),
    }
}

async fn database(server: &Server, folder: &Path, files: &[&str]) -> Result<(Database, PgPool)> {
    let database = server.fresh().await?;
    let pool = database.pool(CLIENTS as u32).await?;
    for file in files {
        let path = folder.join(file);
        let schema = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        sqlx::raw_sql(AssertSqlSafe(schema)).execute(&pool).await.with_context(|| format!("running {file}"))?;
    }
    Ok((database, pool))
}

/// Its function, called by one connection with so many transfers at a time.
async fn tb_perf(plan: &Plan, server: &Server, folder: &Path, batch: usize) -> Result<f64> {
    let (database, pool) = database(server, folder, &["init-postgresql.sql"]).await?;
    let fill = "insert into accounts (id, balance) select id, 1000000000 from generate_series(1, $1) as id";
    sqlx::query(fill).bind(ACCOUNTS as i64).execute(&pool).await?;
    database.settle().await?;
    let mut zipf = Zipf::new(ACCOUNTS, 1);
    let mut conn = pool.acquire().await?;
    let batches = (plan.transfers() / batch / 3).max(2);
    let mut started = Instant::now();
    for number in 0..batches {
        if number == 1 {
            started = Instant::now();
        }
        let (from, to): (Vec<i64>, Vec<i64>) =
            (0..batch).map(|_| zipf.next_pair()).map(|(from, to)| (from as i64 + 1, to as i64 + 1)).unzip();
        let call = sqlx::query("select batch_transfers($1, $2, $3)").bind(from).bind(to).bind(vec![1_i64; batch]);
        call.execute(&mut *conn).await?;
    }
    Ok(((batches - 1) * batch) as f64 / started.elapsed().as_secs_f64())
}

/// One transfer in each call, from [`CLIENTS`] connections.
async fn pgledger(plan: &Plan, server: &Server, folder: &Path) -> Result<f64> {
    let (database, pool) = database(server, folder, &["uuid-to-ulid.sql", "pgledger.sql"]).await?;
    let open = "select (pgledger_create_account('account ' || n, 'GBP')).id from generate_series(1, $1) as n";
    let accounts: Vec<String> = sqlx::query_scalar(open).bind(ACCOUNTS as i64).fetch_all(&pool).await?;
    database.settle().await?;
    let (zipf, accounts) = (Zipf::new(ACCOUNTS, 1), std::sync::Arc::<[String]>::from(accounts));
    let span = Duration::from_secs(if plan.quick { 3 } else { 12 });
    let client = |seed| {
        let (pool, mut zipf, accounts) = (pool.clone(), zipf.with_seed(seed), accounts.clone());
        tokio::spawn(async move {
            let mut conn = pool.acquire().await?;
            let (started, mut done) = (Instant::now(), 0_u64);
            while started.elapsed() < span {
                let (from, to) = zipf.next_pair();
                let call = sqlx::query("select id from pgledger_create_transfer($1, $2, 1)");
                call.bind(&accounts[from]).bind(&accounts[to]).execute(&mut *conn).await?;
                done += 1;
            }
            Ok::<u64, sqlx::Error>(done)
        })
    };
    let mut done = 0;
    for client in (0..CLIENTS).map(client).collect::<Vec<_>>() {
        done += client.await??;
    }
    Ok(done as f64 / span.as_secs_f64())
}
