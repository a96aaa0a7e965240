//! Which roles run, and where their metrics are: each registers, says again and again that it is there, and goes.

use std::time::Duration;

use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::lease::host;

/// How often a role says that it is there.
const BEAT: Duration = Duration::from_secs(10);
/// How long going may take.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(1);

/// A role that runs.
#[derive(Debug, Clone)]
pub struct Instance {
    /// `api` or `worker`.
    pub role: &'static str,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// The host and port that serve its metrics, as others reach them.
    pub address: String,
    /// Its release.
    pub version: &'static str,
}

/// Where metrics are to be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// `api` or `worker`.
    pub role: String,
    /// `http` or `https`.
    pub scheme: String,
    /// Host and port.
    pub address: String,
}

/// Keeps a role listed until `until`. A database that is away is asked again, and a role that was forgotten is listed anew.
pub async fn keep(pool: PgPool, shard: i16, instance: Instance, until: CancellationToken) {
    let id = Uuid::now_v7();
    let mut ticks = tokio::time::interval(BEAT);
    let beats = async {
        loop {
            ticks.tick().await;
            if let Err(error) = beat(&pool, shard, id, &instance).await {
                tracing::debug!(%error, "the role could not say that it is there");
            }
        }
    };
    tokio::select! {
        () = beats => {}
        () = until.cancelled() => {}
    }
    // One that does not get through is off the list when it has not been heard of.
    let _ = tokio::time::timeout(LEAVE_TIMEOUT, leave(&pool, shard, id)).await;
}

async fn beat(pool: &PgPool, shard: i16, id: Uuid, instance: &Instance) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        with gone as (
            delete from queue.instance
             where shard = $1 and heartbeat_at < clock_timestamp() - interval '1 hour'
        )
        insert into queue.instance (shard, id, role, scheme, address, host, pid, version, started_at, heartbeat_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, clock_timestamp(), clock_timestamp())
            on conflict (shard, id) do update
           set heartbeat_at = excluded.heartbeat_at
        "#,
        shard,
        id,
        instance.role,
        instance.scheme,
        instance.address,
        host(),
        std::process::id() as i32,
        instance.version,
    )
    .execute(pool)
    .await?;
    Ok(())
}

async fn leave(pool: &PgPool, shard: i16, id: Uuid) -> sqlx::Result<()> {
    sqlx::query!("delete from queue.instance where shard = $1 and id = $2", shard, id).execute(pool).await?;
    Ok(())
}

/// The roles that were heard of lately. Two under one address, such as a role that was killed and its successor, are one.
///
/// # Errors
/// When the database fails.
pub async fn targets(pool: &PgPool, shard: i16) -> sqlx::Result<Vec<Target>> {
    sqlx::query_as!(
        Target,
        r#"
        select distinct on (address) role, scheme, address
          from queue.instance
         -- Three beats.
         where shard = $1 and heartbeat_at > clock_timestamp() - interval '30 seconds'
         order by address, heartbeat_at desc
        "#,
        shard,
    )
    .fetch_all(pool)
    .await
}

/// The address under which others reach one that listens on `listen`: the machine's name where that is every address.
pub fn advertised(listen: std::net::SocketAddr) -> String {
    if listen.ip().is_unspecified() { format!("{}:{}", host(), listen.port()) } else { listen.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_is_the_machines_name() {
        assert_eq!(advertised("10.0.0.7:4000".parse().unwrap()), "10.0.0.7:4000");
        assert_eq!(advertised("[::1]:4000".parse().unwrap()), "[::1]:4000");
        assert_eq!(advertised("0.0.0.0:4000".parse().unwrap()), format!("{}:4000", host()));
        assert_eq!(advertised("[::]:4000".parse().unwrap()), format!("{}:4000", host()));
    }
}
