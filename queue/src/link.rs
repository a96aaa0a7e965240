//! A connection of the queue's own, which comes back by itself.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

use crate::error::is_lost_connection;
use crate::metrics::DATABASE_ERRORS;
use crate::settle::PLANNER;

/// The wait after the first failure; it doubles up to the longest.
const BACKOFF_FIRST: Duration = Duration::from_millis(50);
const BACKOFF_LONGEST: Duration = Duration::from_secs(1);
/// How long a connection attempt may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Where one task of the queue gets its connection.
#[derive(Debug)]
pub(crate) struct Link {
    task: &'static str,
    options: PgConnectOptions,
    conn: Option<PgConnection>,
    failures: u32,
}

impl Link {
    /// A link for the named task, under [`PLANNER`] and these settings.
    pub(crate) fn new(task: &'static str, options: &PgConnectOptions, settings: &[(&str, &str)]) -> Link {
        let options = options.clone().application_name(&format!("bitnexus queue {task}"));
        let options = options.options(PLANNER).options(settings.iter().copied());
        Link { task, options, conn: None, failures: 0 }
    }

    /// The connection, opened if need be.
    pub(crate) async fn get(&mut self) -> sqlx::Result<&mut PgConnection> {
        if self.conn.is_none() {
            let opening = tokio::time::timeout(CONNECT_TIMEOUT, PgConnection::connect_with(&self.options));
            self.conn = Some(opening.await.map_err(|_| sqlx::Error::PoolTimedOut)??);
        }
        Ok(self.conn.as_mut().expect("it has just been opened"))
    }

    /// Takes note of what a statement answered. After a failure it waits, longer each time, and says none.
    pub(crate) async fn check<T>(&mut self, answer: Result<sqlx::Result<T>, tokio::time::error::Elapsed>) -> Option<T> {
        let error = match answer {
            Ok(Ok(value)) => {
                if self.failures > 0 {
                    tracing::info!(task = self.task, failures = self.failures, "the database answers again");
                }
                self.failures = 0;
                return Some(value);
            }
            Ok(Err(error)) => error,
            // What was asked may still be under way on this connection, so it is of no more use.
            Err(_) => sqlx::Error::PoolTimedOut,
        };
        metrics::counter!(DATABASE_ERRORS.name, "task" => self.task).increment(1);
        tracing::warn!(task = self.task, %error, "a statement of the queue failed; it is tried again");
        if is_lost_connection(&error) {
            self.conn = None;
        } else if let Some(conn) = &mut self.conn {
            // A transaction that failed is ended now: otherwise that is only said with the next statement, whenever that comes.
            drop(tokio::time::timeout(CONNECT_TIMEOUT, conn.ping()).await);
        }
        let backoff = BACKOFF_FIRST.saturating_mul(1 << self.failures.min(10)).min(BACKOFF_LONGEST);
        self.failures = self.failures.saturating_add(1);
        tokio::time::sleep(backoff).await;
        None
    }
}
