//! The examination: each check by itself, bounded in time, so that one that fails hides no other.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use futures::future::BoxFuture;
use sqlx::{Connection, PgConnection};
use tokio::time::timeout;

use super::report::{Report, Seen, Severity, told};
use super::{
    clock, configuration, connections, days, disk, grants, key_file, key_in_force, log, migrations, queues,
    reconciliation, schedules, schema, server, settings, snapshots, workers,
};

/// How long a check may take in all, and each of its statements within that.
const CHECK_TIME: Duration = Duration::from_secs(10);

/// Read only and short, whatever a check does; names are written out, so nobody's search path matters.
const BOUNDS: &str =
    "set local statement_timeout = '5s'; set local lock_timeout = '1s'; set local search_path = 'pg_catalog'";

/// What is examined.
#[derive(Debug)]
pub struct Subject {
    /// The address of the database, or why there is none.
    pub url: Result<String, String>,
    /// The folder of `bitnexus up`.
    pub dir: PathBuf,
    /// The file with the signing keys, if one is named.
    pub signing_key_file: Option<PathBuf>,
    /// From where on something is wrong.
    pub thresholds: Thresholds,
    /// The clock of this machine.
    pub clock: fn() -> SystemTime,
}

/// From where on something is wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Thresholds {
    /// Seconds that this machine's clock may be off the database's, and the ledger's last transaction ahead of it.
    pub clock_s: f64,
    /// Seconds that a transaction may be open.
    pub transaction_s: f64,
    /// Seconds that a prepared transaction may wait.
    pub prepared_s: f64,
    /// Transactions since the oldest row that is not frozen; PostgreSQL stops at two thousand million.
    pub unfrozen: i64,
    /// Days ahead that have a partition; there are seven when all is well.
    pub days_ahead: i64,
    /// Seconds that a ready job may wait.
    pub ready_s: f64,
    /// Seconds that a schedule may be late.
    pub tick_s: f64,
    /// Seconds that a posting may wait for a signed checkpoint.
    pub unsigned_s: f64,
    /// Seconds since the last reconciliation; there is one every five minutes.
    pub reconciled_s: f64,
    /// The share of a disk that is to be free.
    pub free: f64,
}

impl Default for Thresholds {
    fn default() -> Thresholds {
        Thresholds {
            clock_s: 1.0,
            transaction_s: 900.0,
            prepared_s: 300.0,
            unfrozen: 1_000_000_000,
            days_ahead: 2,
            ready_s: 900.0,
            tick_s: 300.0,
            unsigned_s: 60.0,
            reconciled_s: 1_800.0,
            free: 0.1,
        }
    }
}

/// What a check needs of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Needs {
    /// A server.
    Server,
    /// Our tables.
    Tables,
    /// Exactly the schema of this release.
    Current,
}

type Check = for<'a> fn(&'a Subject, &'a mut PgConnection) -> BoxFuture<'a, Result<Seen>>;

/// The checks of the database, in the order of what rests on what.
const CHECKS: [(&str, Needs, Check); 15] = [
    ("server", Needs::Server, |_, conn| Box::pin(server::check(conn))),
    ("settings", Needs::Server, |_, conn| Box::pin(settings::check(conn))),
    ("clock", Needs::Server, |subject, conn| Box::pin(clock::check(subject, conn))),
    ("snapshots", Needs::Server, |subject, conn| Box::pin(snapshots::check(subject, conn))),
    ("disk", Needs::Server, |subject, conn| Box::pin(disk::check(subject, conn))),
    ("schema", Needs::Current, |_, conn| Box::pin(schema::check(conn))),
    ("grants", Needs::Tables, |_, conn| Box::pin(grants::check(conn))),
    ("connections", Needs::Tables, |_, conn| Box::pin(connections::check(conn))),
    ("days", Needs::Tables, |subject, conn| Box::pin(days::check(subject, conn))),
    ("workers", Needs::Tables, |subject, conn| Box::pin(workers::check(subject, conn))),
    ("queues", Needs::Tables, |_, conn| Box::pin(queues::check(conn))),
    ("schedules", Needs::Tables, |subject, conn| Box::pin(schedules::check(subject, conn))),
    ("log", Needs::Tables, |subject, conn| Box::pin(log::check(subject, conn))),
    ("key", Needs::Tables, |subject, conn| Box::pin(key_in_force::check(subject, conn))),
    ("reconciliation", Needs::Tables, |subject, conn| Box::pin(reconciliation::check(subject, conn))),
];

/// Looks at everything; never fails, whatever is wrong.
pub async fn examine(subject: &Subject) -> Report {
    let mut report = Report::default();
    let (seen, values) = configuration::check();
    report.configuration = values;
    report.take("configuration", seen);
    report.take("key", key_file::check(subject));
    report.take("disk", disk::check_folder(subject));
    let mut conn = None;
    let Ok(has) = schema_of(subject, &mut conn, &mut report).await else {
        report.not_checked.extend(CHECKS.map(|(name, _, _)| name));
        return report;
    };
    for (name, needs, check) in CHECKS {
        if needs > has {
            report.not_checked.push(name);
            continue;
        }
        let seen = match bounded(subject, &mut conn, check).await {
            Ok(seen) => seen,
            Err(error) => could_not_look(&error),
        };
        report.take(name, seen);
    }
    report
}

/// Reaches the database; what of our schema it has.
async fn schema_of(subject: &Subject, conn: &mut Option<PgConnection>, report: &mut Report) -> Result<Needs, ()> {
    let first: Check = |_, conn| Box::pin(migrations::check(conn));
    match server::connect(subject).await {
        Ok(connected) => *conn = Some(connected),
        Err(seen) => {
            report.take("server", *seen);
            return Err(());
        }
    }
    let seen = bounded(subject, conn, first).await;
    let has = match &seen {
        Ok(seen) if seen.has(migrations::NONE) => Needs::Server,
        Ok(seen) if migrations::OTHER.iter().any(|code| seen.has(code)) => Needs::Tables,
        Ok(_) => Needs::Current,
        Err(_) => Needs::Tables,
    };
    report.take("migrations", seen.unwrap_or_else(|error| could_not_look(&error)));
    Ok(has)
}

/// One check in a transaction of its own; a connection that it lost or that hangs is left behind.
async fn bounded(subject: &Subject, conn: &mut Option<PgConnection>, check: Check) -> Result<Seen> {
    let look = async {
        let mut held = match conn.take() {
            Some(held) => held,
            None => server::open(subject).await?,
        };
        let mut tx = held.begin_with("begin transaction read only").await?;
        sqlx::raw_sql(BOUNDS).execute(&mut *tx).await?;
        let seen = check(subject, &mut tx).await?;
        tx.rollback().await?;
        *conn = Some(held);
        Ok(seen)
    };
    timeout(CHECK_TIME, look).await.with_context(|| format!("it took longer than {CHECK_TIME:?}"))?
}

fn could_not_look(error: &anyhow::Error) -> Seen {
    let mut seen = Seen::default();
    seen.find(
        Severity::Warning,
        "not_looked_at",
        format!("this could not be looked at: {}", told(error)),
        "what it would have found is not known",
        "see to what the database says, then run `bitnexus doctor` again",
    );
    seen
}
