//! The schema, built into the binary: `migrations/` in order, each applied once.

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{Acquire, Postgres};

/// Every migration of the workspace.
pub static MIGRATOR: Migrator = sqlx::migrate!("../migrations");

/// The role that has what the service needs and no more; whoever the service logs in as is a member of it.
pub const SERVICE_ROLE: &str = "bitnexus_service";

/// Whether [`SERVICE_ROLE`] has its grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// It has.
    Granted,
    /// It is not there, and whoever migrates may not make it.
    Missing,
}

/// Brings the schema of a database up to date, given a pool or a connection; does nothing where it is.
///
/// # Errors
/// When a migration fails, or one that was applied has been changed or is missing.
pub async fn migrate<'a>(database: impl Acquire<'a, Database = Postgres>) -> Result<Service, MigrateError> {
    let mut connection = database.acquire().await?;
    MIGRATOR.run_direct(None, &mut *connection, false).await?;
    // Once more each time: the tables of later migrations need their grants too.
    let granted = sqlx::query_scalar!(r#"select ledger.grant_service() as "granted!""#);
    let granted = granted.fetch_one(&mut *connection).await?;
    Ok(if granted { Service::Granted } else { Service::Missing })
}
