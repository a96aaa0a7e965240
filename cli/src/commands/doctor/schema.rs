//! What the tables really are, beside what this release's migrations make.
//!
//! What they make is kept in `schema.snap`, which a test takes from a database that was just migrated.

use std::collections::BTreeMap;

use anyhow::Result;
use sqlx::{Connection, PgConnection};

use super::report::{Seen, Severity};

/// A header of the test, a line of dashes, then `object: definition`, one a line.
const EXPECTED: &str = include_str!("schema.snap");

/// How many objects a finding names.
const NAMED_MAX: usize = 5;

/// Every object of ours with its definition; partitions are left out.
///
/// # Errors
/// When the database fails.
pub async fn describe(conn: &mut PgConnection) -> sqlx::Result<BTreeMap<String, String>> {
    let mut tx = conn.begin().await?;
    // Definitions then write every name out that is not PostgreSQL's own.
    sqlx::raw_sql("set local search_path = 'pg_catalog'").execute(&mut *tx).await?;
    let rows = sqlx::query_file!("src/commands/doctor/schema.sql").fetch_all(&mut *tx).await?;
    tx.rollback().await?;
    Ok(rows.into_iter().map(|row| (row.object, row.definition)).collect())
}

fn expected() -> BTreeMap<&'static str, &'static str> {
    let body = EXPECTED.splitn(3, "---\n").last().unwrap_or_default();
    body.lines().filter_map(|line| line.split_once(": ")).collect()
}

/// Compares the two, and looks at what is there but does not work.
pub(super) async fn check(conn: &mut PgConnection) -> Result<Seen> {
    let mut seen = Seen::default();
    let (there, expected) = (describe(&mut *conn).await?, expected());
    for (object, definition) in &expected {
        match there.get(*object) {
            Some(found) if found != definition => different(object, definition, found, &mut seen),
            Some(_) => {}
            None => missing(object, definition, &mut seen),
        }
    }
    let more: Vec<&str> = there.keys().map(String::as_str).filter(|object| !expected.contains_key(object)).collect();
    if !more.is_empty() {
        let named = more.iter().take(NAMED_MAX).copied().collect::<Vec<_>>().join(", ");
        let rest = more.len().saturating_sub(NAMED_MAX);
        seen.find(
            Severity::Note,
            "more",
            format!(
                "the schemas have more than the migrations make: {named}{}",
                if rest > 0 { format!(" and {rest} more") } else { String::new() }
            ),
            "a later release may want to use the same names, and an index more costs each write",
            "keep things of your own in a schema of your own",
        );
    }
    disabled_triggers(&mut *conn, &mut seen).await?;
    invalid_indexes(conn, &mut seen).await?;
    Ok(seen)
}

fn missing(object: &str, definition: &str, seen: &mut Seen) {
    let kind = object.split(' ').next().unwrap_or_default();
    let todo = match kind {
        "index" => format!(
            "`{}`",
            definition.replacen("INDEX", "INDEX CONCURRENTLY", usize::from(!definition.contains(" ON ONLY ")))
        ),
        "trigger" => format!("`{definition}`"),
        _ => "find its statement in `migrations/` and run it, or restore a backup".to_owned(),
    };
    seen.find(Severity::Error, "missing", format!("missing: {object}"), consequence(kind), todo);
}

fn different(object: &str, definition: &str, found: &str, seen: &mut Seen) {
    let kind = object.split(' ').next().unwrap_or_default();
    seen.find(
        Severity::Error,
        "different",
        format!("{object} is `{found}`, and the migrations make `{definition}`"),
        consequence(kind),
        "somebody changed it by hand: change it back, or restore a backup",
    );
}

/// What it leads to that an object is not as it should be.
fn consequence(kind: &str) -> &'static str {
    match kind {
        "index" => "statements read whole tables, or what is to be unique is not",
        "constraint" => "the database does not refuse what must never be written",
        "trigger" | "function" => "what the database guards or derives by itself, it does no more",
        _ => "statements that name it fail",
    }
}

async fn disabled_triggers(conn: &mut PgConnection, seen: &mut Seen) -> Result<()> {
    let rows = sqlx::query!(
        r#"
        select space.nspname || '.' || class.relname as "of!",
               case when one.tgisinternal then 'all' else one.tgname::text end as "name!"
          from pg_catalog.pg_trigger as one
          join pg_catalog.pg_class as class on class.oid = one.tgrelid
          join pg_catalog.pg_namespace as space on space.oid = class.relnamespace
         where space.nspname in ('queue', 'ledger', 'app', 'reconciliation')
           and one.tgenabled not in ('O', 'A')
         group by 1, 2
         order by 1, 2
        "#
    );
    for row in rows.fetch_all(conn).await? {
        let quoted = if row.name == "all" { row.name.clone() } else { format!("\"{}\"", row.name) };
        seen.find(
            Severity::Error,
            "trigger_disabled",
            format!("the trigger {} of {} is disabled", row.name, row.of),
            "what the database guards or derives by itself, it does no more; what was changed meanwhile, `bitnexus ledger verify` finds",
            format!("`alter table {} enable trigger {quoted}`, then `bitnexus ledger verify`", row.of),
        );
    }
    Ok(())
}

async fn invalid_indexes(conn: &mut PgConnection, seen: &mut Seen) -> Result<()> {
    let names = sqlx::query_scalar!(
        r#"
        select space.nspname || '.' || class.relname as "name!"
          from pg_catalog.pg_index as one
          join pg_catalog.pg_class as class on class.oid = one.indexrelid
          join pg_catalog.pg_namespace as space on space.oid = class.relnamespace
         where space.nspname in ('queue', 'ledger', 'app', 'reconciliation')
           and not (one.indisvalid and one.indisready)
         order by 1
        "#
    );
    for name in names.fetch_all(conn).await? {
        seen.find(
            Severity::Error,
            "index_invalid",
            format!("the index {name} is not valid"),
            "building it was broken off: it costs each write and serves no statement",
            format!("`reindex index concurrently {name}`"),
        );
    }
    Ok(())
}
