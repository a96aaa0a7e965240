//! The schema, built into the binary: `migrations/` in order, each applied once.

use sqlx::PgPool;
use sqlx::migrate::{MigrateError, Migrator};

/// Every migration of the workspace.
pub static MIGRATOR: Migrator = sqlx::migrate!("../migrations");

/// Brings the schema of `pool`'s database up to date; does nothing where it is.
///
/// # Errors
/// When a migration fails, or one that was applied has been changed or is missing.
pub async fn migrate(pool: &PgPool) -> Result<(), MigrateError> {
    MIGRATOR.run(pool).await
}
