//! What keeps vacuum from taking away dead rows: old transactions, prepared ones, replication slots.

use anyhow::Result;
use sqlx::PgConnection;

use super::examine::Subject;
use super::report::{Seen, Severity, size, span};

const MEANS: &str = "vacuum takes away no row that died since then: the queue's tables grow, and claims become slower";

/// Looks at each kind of holder.
pub(super) async fn check(subject: &Subject, conn: &mut PgConnection) -> Result<Seen> {
    let mut seen = Seen::default();
    sight(&mut *conn, &mut seen).await?;
    transactions(subject, &mut *conn, &mut seen).await?;
    prepared(subject, &mut *conn, &mut seen).await?;
    slots(&mut *conn, &mut seen).await?;
    unfrozen(subject, conn, &mut seen).await?;
    Ok(seen)
}

/// The service's role sees little of other roles' sessions.
async fn sight(conn: &mut PgConnection, seen: &mut Seen) -> Result<()> {
    let hidden = sqlx::query_scalar!(
        r#"
        select count(*) as "hidden!"
          from pg_catalog.pg_stat_activity
         where datname = current_database()
           and query = '<insufficient privilege>'
        "#
    );
    let may_see =
        sqlx::query_scalar!(r#"select pg_has_role(current_user, 'pg_read_all_stats', 'member') as "may_see!""#);
    if hidden.fetch_one(&mut *conn).await? > 0 && !may_see.fetch_one(conn).await? {
        seen.find(
            Severity::Note,
            "sight",
            "sessions of other roles are hidden from this one",
            "transactions that they hold open were not looked at",
            "run this as the owner of the database, or `grant pg_read_all_stats to` this role",
        );
    }
    Ok(())
}

async fn transactions(subject: &Subject, conn: &mut PgConnection, seen: &mut Seen) -> Result<()> {
    let rows = sqlx::query!(
        r#"
        select pid as "pid!", coalesce(usename::text, '-') as "who!", application_name as "program!",
               coalesce(state, '-') as "state!",
               extract(epoch from clock_timestamp() - xact_start)::float8 as "age_s!"
          from pg_catalog.pg_stat_activity
         where datname = current_database()
           and pid <> pg_backend_pid()
           and backend_type = 'client backend'
           and xact_start < clock_timestamp() - make_interval(secs => $1)
         order by xact_start
        "#,
        subject.thresholds.transaction_s,
    );
    for row in rows.fetch_all(conn).await? {
        seen.find(
            Severity::Warning,
            "transaction",
            format!(
                "{} ({}, process {}) has a transaction open for {}, {}",
                row.who,
                row.program,
                row.pid,
                span(row.age_s),
                row.state
            ),
            MEANS,
            format!("end it where it was begun, or `select pg_terminate_backend({})`", row.pid),
        );
    }
    Ok(())
}

async fn prepared(subject: &Subject, conn: &mut PgConnection, seen: &mut Seen) -> Result<()> {
    let rows = sqlx::query!(
        r#"
        select gid as "gid!", extract(epoch from clock_timestamp() - prepared)::float8 as "age_s!"
          from pg_catalog.pg_prepared_xacts
         where database = current_database()
           and prepared < clock_timestamp() - make_interval(secs => $1)
        "#,
        subject.thresholds.prepared_s,
    );
    for row in rows.fetch_all(conn).await? {
        seen.find(
            Severity::Warning,
            "prepared",
            format!(
                "the transaction '{}' was prepared {} ago, and neither committed nor rolled back",
                row.gid,
                span(row.age_s)
            ),
            MEANS,
            format!("none of ours prepares any: ask whose it is, then `rollback prepared '{}'`", row.gid),
        );
    }
    Ok(())
}

async fn slots(conn: &mut PgConnection, seen: &mut Seen) -> Result<()> {
    let rows = sqlx::query!(
        r#"
        select slot_name::text as "name!",
               coalesce(pg_wal_lsn_diff(
                   case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end, restart_lsn
               ), 0)::int8 as "kept!"
          from pg_catalog.pg_replication_slots
         where not active
           and not temporary
        "#
    );
    for row in rows.fetch_all(conn).await? {
        seen.find(
            Severity::Warning,
            "slot",
            format!(
                "nobody reads the replication slot {}, which keeps {} of write-ahead log",
                row.name,
                size(row.kept.unsigned_abs())
            ),
            "the log is kept until somebody does, and fills the disk; a logical slot also keeps dead rows",
            format!("start its replica again, or `select pg_drop_replication_slot('{}')`", row.name),
        );
    }
    Ok(())
}

async fn unfrozen(subject: &Subject, conn: &mut PgConnection, seen: &mut Seen) -> Result<()> {
    let age = sqlx::query_scalar!(
        r#"
        select age(datfrozenxid)::int8 as "age!"
          from pg_catalog.pg_database
         where datname = current_database()
        "#
    );
    let age = age.fetch_one(conn).await?;
    if age >= subject.thresholds.unfrozen {
        seen.find(
            Severity::Error,
            "unfrozen",
            format!("{age} transactions have passed since the oldest row that is not frozen"),
            "at two thousand million PostgreSQL stops accepting writes",
            "end what holds old snapshots (the findings beside this one), then `vacuum freeze` in psql",
        );
    }
    Ok(())
}
