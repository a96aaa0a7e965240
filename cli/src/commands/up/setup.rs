//! What a new database needs before the roles start.

use anyhow::{Context, Result};
use sqlx::{Connection, PgConnection};

use crate::commands::admin;
use crate::migrations::SERVICE_ROLE;
use crate::postgres::initdb::SERVICE;
use crate::postgres::private::{DATABASE, Private};
use crate::{config, migrations};

/// Makes our database in the private cluster, if it is not there.
///
/// # Errors
/// When PostgreSQL fails.
pub(super) async fn create_database(private: &Private) -> Result<()> {
    let connection = PgConnection::connect_with(&private.options("postgres")).await;
    let mut connection = connection.context("connecting to PostgreSQL")?;
    let exists: bool = sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
        .bind(DATABASE)
        .fetch_one(&mut connection)
        .await
        .context("looking for our database")?;
    if !exists {
        let create = sqlx::AssertSqlSafe(format!("create database {DATABASE}"));
        sqlx::raw_sql(create).execute(&mut connection).await.context("making our database")?;
    }
    connection.close().await.context("closing the connection")
}

/// Migrates, and sets a new installation up; the administrator's key, if there is a new one.
///
/// # Errors
/// When the database cannot be reached, or a migration fails.
pub(super) async fn prepare_database(url: &str) -> Result<Option<String>> {
    let mut connection = config::connect(url, "up").await?;
    migrations::migrate(&mut connection).await.context("migrating the database")?;
    let admin_key = admin::set_up(&mut connection).await.context("setting the installation up")?;
    connection.close().await.context("closing the connection")?;
    Ok(admin_key)
}

/// Makes the role that api and workers log in as, in the private cluster, if it is not there.
///
/// # Errors
/// When PostgreSQL fails.
pub(super) async fn make_service_login(url: &str) -> Result<()> {
    let mut connection = config::connect(url, "up").await?;
    let exists: bool = sqlx::query_scalar("select exists (select from pg_roles where rolname = $1)")
        .bind(SERVICE)
        .fetch_one(&mut connection)
        .await
        .context("looking for the service's role")?;
    if !exists {
        // What it makes, such as days of the queue's history, belongs to the role, whoever logs in.
        let create = format!(
            "create role {SERVICE} login in role {SERVICE_ROLE}; alter role {SERVICE} set role = '{SERVICE_ROLE}'"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(create))
            .execute(&mut connection)
            .await
            .context("making the service's role")?;
    }
    connection.close().await.context("closing the connection")
}
