//! Settings of the server that accepted work, and that this service, rests on.

use std::collections::HashMap;

use anyhow::Result;
use sqlx::PgConnection;

use super::report::{Seen, Severity};

/// A setting, and when it is wrong.
struct Rule {
    name: &'static str,
    code: &'static str,
    is_wrong: fn(&str) -> bool,
    severity: Severity,
    means: &'static str,
    /// A value that is right.
    better: &'static str,
}

const LOST: &str = "what was accepted may be lost or damaged when the server or its machine goes down";

/// PostgreSQL gives these in milliseconds; 0 is no limit.
fn is_under(text: &str, least_ms: i64) -> bool {
    text.parse::<i64>().is_ok_and(|ms| ms > 0 && ms < least_ms)
}

/// A rule of a setting that is to be on.
const fn on(name: &'static str, code: &'static str, severity: Severity, means: &'static str) -> Rule {
    Rule { name, code, is_wrong: |value| value == "off", severity, means, better: "on" }
}

/// A rule of a setting that is to be off.
const fn off(name: &'static str, code: &'static str, severity: Severity, means: &'static str) -> Rule {
    Rule { name, code, is_wrong: |value| value == "on", severity, means, better: "off" }
}

const RULES: [Rule; 18] = [
    on("fsync", "fsync_off", Severity::Error, LOST),
    on("full_page_writes", "full_page_writes_off", Severity::Error, LOST),
    on("synchronous_commit", "synchronous_commit_off", Severity::Error, LOST),
    off(
        "zero_damaged_pages",
        "zero_damaged_pages",
        Severity::Error,
        "damaged pages are replaced by empty ones in silence",
    ),
    off(
        "ignore_checksum_failure",
        "ignore_checksum_failure",
        Severity::Error,
        "damaged pages are read as if they were sound",
    ),
    off("default_transaction_read_only", "read_only", Severity::Error, "nothing is accepted or recorded"),
    on(
        "autovacuum",
        "autovacuum_off",
        Severity::Error,
        "the queue's tables grow without end and each claim becomes slower",
    ),
    on(
        "track_counts",
        "track_counts_off",
        Severity::Error,
        "autovacuum does not know which tables need it, and leaves them alone",
    ),
    on(
        "track_activities",
        "track_activities_off",
        Severity::Warning,
        "nobody sees what holds a lock or an old snapshot",
    ),
    Rule {
        name: "session_replication_role",
        code: "triggers_passed_over",
        is_wrong: |value| value != "origin",
        severity: Severity::Error,
        means: "the triggers that guard the ledger do not fire",
        better: "origin",
    },
    Rule {
        name: "default_transaction_isolation",
        code: "isolation",
        is_wrong: |value| value != "read committed",
        severity: Severity::Error,
        means: "statements that wait for another one's commit fail in place of going on with what it wrote",
        better: "read committed",
    },
    Rule {
        name: "wal_level",
        code: "wal_level",
        is_wrong: |value| value == "minimal",
        severity: Severity::Warning,
        means: "neither a replica nor a backup to a point in time is possible",
        better: "replica",
    },
    Rule {
        name: "shared_buffers",
        code: "shared_buffers",
        // In pages of 8 KiB.
        is_wrong: |value| value.parse::<i64>().is_ok_and(|pages| pages < 8192),
        severity: Severity::Warning,
        means: "the hot tables do not stay in memory",
        better: "256MB",
    },
    Rule {
        name: "statement_timeout",
        code: "statement_timeout",
        is_wrong: |value| is_under(value, 60_000),
        severity: Severity::Warning,
        means: "migrations, reconciliation and exports are cut off; the roles bound their own statements",
        better: "0",
    },
    Rule {
        name: "lock_timeout",
        code: "lock_timeout",
        is_wrong: |value| is_under(value, 5_000),
        severity: Severity::Warning,
        means: "whoever waits for the ledger's writer under load fails and is tried again",
        better: "0",
    },
    Rule {
        name: "idle_in_transaction_session_timeout",
        code: "idle_in_transaction",
        is_wrong: |value| is_under(value, 30_000),
        severity: Severity::Warning,
        means: "jobs and exports that think between two statements lose their connection",
        better: "60s",
    },
    Rule {
        name: "transaction_timeout",
        code: "transaction_timeout",
        is_wrong: |value| is_under(value, 60_000),
        severity: Severity::Warning,
        means: "imports, reconciliation and exports are cut off",
        better: "0",
    },
    Rule {
        name: "log_statement",
        code: "log_statement",
        is_wrong: |value| value == "all" || value == "mod",
        severity: Severity::Warning,
        means: "the server's log holds what people entrusted to the service, and is slow",
        better: "none",
    },
];

/// Compares each with what this session started with.
pub(super) async fn check(conn: &mut PgConnection) -> Result<Seen> {
    let mut seen = Seen::default();
    let names: Vec<String> = RULES.iter().map(|rule| rule.name.to_owned()).collect();
    // Not the value of now: a check bounds its own statements.
    let rows = sqlx::query!(
        r#"
        select name as "name!", reset_val as "value!", context as "context!"
          from pg_catalog.pg_settings
         where name = any($1)
        "#,
        &names,
    );
    let rows = rows.fetch_all(conn).await?;
    let values: HashMap<&str, (&str, &str)> =
        rows.iter().map(|row| (row.name.as_str(), (row.value.as_str(), row.context.as_str()))).collect();
    for rule in RULES {
        let Some((value, context)) = values.get(rule.name).filter(|(value, _)| (rule.is_wrong)(value)) else {
            continue;
        };
        seen.find(rule.severity, rule.code, format!("{} is {value}", rule.name), rule.means, todo(&rule, context));
    }
    Ok(seen)
}

/// The commands that change it. A setting may also have been given to the role or the database, which goes before.
fn todo(rule: &Rule, context: &str) -> String {
    let change = format!("`alter system set {} = '{}'`", rule.name, rule.better);
    match context {
        "postmaster" => format!("{change}, then restart PostgreSQL"),
        "sighup" => format!("{change}, then `select pg_reload_conf()`"),
        _ => format!(
            "{change}, then `select pg_reload_conf()`; if it stays, `\\drds` in psql shows whether the role or the database has a value of its own"
        ),
    }
}
