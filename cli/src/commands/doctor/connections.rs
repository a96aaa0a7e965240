//! The connections that all roles may open, beside those that the server gives.

use anyhow::Result;
use sqlx::PgConnection;

use super::report::{Seen, Severity};
use crate::commands;
use crate::commands::worker::queues::Queues;
use crate::commands::worker_child::connections_max;

/// A server that is so full is about to refuse somebody.
const FULL: f64 = 0.9;

/// Counts them: as this machine's environment has it for one api and one pool, and more where more processes live.
pub(super) async fn check(conn: &mut PgConnection) -> Result<Seen> {
    let mut seen = Seen::default();
    let row = sqlx::query!(
        r#"
        select current_setting('max_connections')::int8 - current_setting('superuser_reserved_connections')::int8 as "most!",
               -- The type of other roles' sessions is hidden from the service's.
               (
                   select count(*)
                     from pg_catalog.pg_stat_activity
                    where backend_type = 'client backend' or (backend_type is null and usesysid is not null)
               ) as "used!",
               (
                   select count(*)
                     from queue.process
                    where shard = 0 and lost_at is null and expires_at > clock_timestamp()
               ) as "workers!",
               coalesce((
                   select min(bound.connections)
                     from (
                       select datconnlimit as connections from pg_catalog.pg_database where datname = current_database()
                       union all
                       select rolconnlimit from pg_catalog.pg_roles where rolname = session_user
                     ) as bound
                    where bound.connections >= 0
               ), -1) as "bound!"
        "#
    );
    let row = row.fetch_one(conn).await?;
    let most = if row.bound >= 0 { row.most.min(row.bound.into()) } else { row.most };
    let Some((api, worker)) = wanted(row.workers) else { return Ok(seen) };
    seen.fact("connections", format!("{} of {most} used; api and workers may open {}", row.used, api + worker));
    if api + worker > most {
        seen.find(
            Severity::Error,
            "too_few",
            format!("the api may open {api} connections and the workers {worker}; the server gives {most}"),
            "under load statements fail with \"too many clients\"",
            format!(
                "`alter system set max_connections = {}` and restart PostgreSQL, or lower `API_CONNECTIONS`, `WORKER_PROCESSES` or `WORKER_CONCURRENCY`",
                (api + worker).unsigned_abs().saturating_add(20).next_multiple_of(50)
            ),
        );
    } else if row.used as f64 > most as f64 * FULL {
        seen.find(
            Severity::Warning,
            "nearly_used_up",
            format!("{} of {most} connections are in use", row.used),
            "the next process that starts may be refused",
            "see who has them: `bitnexus db psql -c 'select usename, application_name, count(*) from pg_stat_activity group by 1, 2 order by 3 desc'`",
        );
    }
    Ok(seen)
}

/// What one api and all worker processes may open; none where the environment is refused, which is a finding already.
fn wanted(workers_alive: i64) -> Option<(i64, i64)> {
    let (given, worker) = (commands::read_environment("api").ok()?, commands::read_environment("worker").ok()?);
    let processes = i64::from(*worker.get_one::<u16>("processes")?);
    let (queues, concurrency) = (worker.get_one::<Queues>("queues")?, *worker.get_one::<u16>("concurrency")?);
    let each = i64::from(connections_max(queues, concurrency));
    // The supervisor has one of its own.
    let api = i64::from(*given.get_one::<u32>("connections")?) + i64::from(api::CONNECTIONS_BESIDE_POOL);
    Some((api, processes.max(workers_alive) * each + 1))
}
