//! Whether the service can do its work, and no more than that.

use anyhow::Result;
use sqlx::PgConnection;

use super::report::{Seen, Severity};
use crate::migrations::SERVICE_ROLE;

/// Looks at the role, at what it may do, and at who api and workers really are.
pub(super) async fn check(conn: &mut PgConnection) -> Result<Seen> {
    let mut seen = Seen::default();
    let is_there = sqlx::query_scalar!(
        r#"select exists (select from pg_catalog.pg_roles where rolname = $1) as "is_there!""#,
        SERVICE_ROLE
    );
    if is_there.fetch_one(&mut *conn).await? {
        privileges(&mut *conn, &mut seen).await?;
    } else {
        seen.find(
            Severity::Warning,
            "no_role",
            format!("there is no role {SERVICE_ROLE}"),
            "api and workers log in as somebody who may change what is recorded",
            format!("as an administrator `create role {SERVICE_ROLE} nologin`, then `bitnexus migrate`, which says how to make a login"),
        );
    }
    owners(conn, &mut seen).await?;
    Ok(seen)
}

/// Too little: requests and jobs fail. Too much: nothing protects what is recorded but good will.
async fn privileges(conn: &mut PgConnection, seen: &mut Seen) -> Result<()> {
    let rows = sqlx::query!(
        r#"
        select space.nspname || '.' || class.relname as "name!",
               not (
                   has_schema_privilege($1, space.oid, 'usage')
                   and has_table_privilege($1, class.oid, 'select')
                   and has_table_privilege($1, class.oid, 'insert')
                   and (guard.is_guarded or has_table_privilege($1, class.oid, 'update'))
                   and (guard.is_guarded or has_table_privilege($1, class.oid, 'delete'))
               ) as "lacks!",
               guard.is_guarded and (
                   has_table_privilege($1, class.oid, 'update')
                   or has_table_privilege($1, class.oid, 'delete')
                   or has_table_privilege($1, class.oid, 'truncate')
                   or has_table_privilege($1, class.oid, 'trigger')
               ) as "exceeds!"
          from pg_catalog.pg_class as class
          join pg_catalog.pg_namespace as space on space.oid = class.relnamespace
         cross join lateral (
                   select exists (
                       select
                         from pg_catalog.pg_trigger
                        where tgrelid = class.oid
                          and tgname in ('append_only', 'stays')
                   ) as is_guarded
               ) as guard
         where space.nspname in ('queue', 'ledger', 'app', 'reconciliation')
           and class.relkind in ('r', 'p')
           and not class.relispartition
         order by 1
        "#,
        SERVICE_ROLE,
    );
    let rows = rows.fetch_all(conn).await?;
    let lacking: Vec<&str> = rows.iter().filter(|row| row.lacks).map(|row| row.name.as_str()).collect();
    if !lacking.is_empty() {
        seen.find(
            Severity::Error,
            "too_few",
            format!("{SERVICE_ROLE} lacks rights on {}", lacking.join(", ")),
            "requests and jobs that need these tables fail",
            "`bitnexus migrate` gives them again; run it as the owner of the tables",
        );
    }
    let exceeding: Vec<&str> = rows.iter().filter(|row| row.exceeds).map(|row| row.name.as_str()).collect();
    if !exceeding.is_empty() {
        let tables = exceeding.join(", ");
        seen.find(
            Severity::Error,
            "too_many",
            format!("{SERVICE_ROLE} may change or remove what is recorded in {tables}"),
            "only triggers keep whoever takes over a process from rewriting the ledger",
            format!("`revoke update, delete, truncate, trigger on {tables} from {SERVICE_ROLE}, public`, then `bitnexus migrate`"),
        );
    }
    Ok(())
}

/// Processes of ours that are logged in as the ledger's owner or more.
async fn owners(conn: &mut PgConnection, seen: &mut Seen) -> Result<()> {
    let names = sqlx::query_scalar!(
        r#"
        select distinct one.usename::text as "name!"
          from pg_catalog.pg_stat_activity as one
          join pg_catalog.pg_class as class on class.oid = to_regclass('ledger.entry')
         where one.datname = current_database()
           and one.usename is not null
           and (one.application_name like 'bitnexus api%' or one.application_name like 'bitnexus worker%')
           and pg_has_role(one.usesysid, class.relowner, 'member')
        "#
    );
    for name in names.fetch_all(conn).await? {
        seen.find(
            Severity::Warning,
            "owner_serves",
            format!("api or workers log in as {name}, who may change what is recorded"),
            "whoever takes over a process can rewrite the ledger's tables; the signed checkpoints would tell, but only later",
            format!("make a login with `create role NAME login password '…' in role {SERVICE_ROLE}` and `alter role NAME set role = '{SERVICE_ROLE}'`, and use it in their `DATABASE_URL`"),
        );
    }
    Ok(())
}
