//! What a worker process asks of the database while there is nothing to do.

use std::time::Duration;

use anyhow::Result;
use sqlx::PgPool;

use super::Plan;
use super::job::{Probe, Worker};
use crate::report::Report;
use crate::server::{Database, Server};

/// By then it is registered, and its first looks around are over.
const WARM_UP: Duration = Duration::from_secs(3);

/// Adds `queue.idle_statements`, counted by pg_stat_statements, which sees every statement, BEGIN and COMMIT included.
pub(super) async fn measure(plan: &Plan, report: &mut Report) -> Result<()> {
    let server = match Server::bare(&["shared_preload_libraries=pg_stat_statements"]).await {
        Ok(server) => server,
        Err(error) => {
            report.skip("queue.idle_statements", &format!("no pg_stat_statements here: {error:#}"));
            return Ok(());
        }
    };
    let database = server.fresh_of_ours().await?;
    let pool = database.pool(1).await?;
    sqlx::query("create extension pg_stat_statements").execute(&pool).await?;
    let span = Duration::from_secs(if plan.quick { 10 } else { 60 });
    let statements = statements(&database, &pool, span).await?;
    report.add("queue.idle_statements", statements as f64 / span.as_secs_f64(), "statements/s");
    Ok(())
}

async fn statements(database: &Database, pool: &PgPool, span: Duration) -> Result<i64> {
    let worker = Worker::start(database, Probe::default()).await?;
    tokio::time::sleep(WARM_UP).await;
    sqlx::query("select pg_stat_statements_reset()").execute(pool).await?;
    tokio::time::sleep(span).await;
    let calls = "
        select coalesce(sum(calls), 0)::bigint
          from pg_stat_statements
         where dbid = (select oid from pg_database where datname = current_database())
           and query not like '%pg_stat_statements%'
    ";
    let calls = sqlx::query_scalar(calls).fetch_one(pool).await?;
    worker.stop().await?;
    Ok(calls)
}
