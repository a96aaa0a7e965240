//! The schema, built into the binary: `migrations/` in order, each applied once.

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{Acquire, Postgres};

/// Every migration of the workspace.
pub static MIGRATOR: Migrator = sqlx::migrate!("../migrations");

/// Brings the schema of a database up to date, given a pool or a connection; does nothing where it is.
///
/// # Errors
/// When a migration fails, or one that was applied has been changed or is missing.
pub async fn migrate<'a>(database: impl Acquire<'a, Database = Postgres>) -> Result<(), MigrateError> {
    MIGRATOR.run_direct(None, &mut *database.acquire().await?, false).await
}
