//! Tells worker processes that there is work: a hint, sent after the commit, never inside the caller's transaction.
//!
//! NOTIFY takes a lock that all commits of the server share, so it rides neither in the enqueuing transaction nor once
//! for each job: one connection of this process sends what gathered, at most once every few milliseconds. A hint that
//! is lost costs time, not work, since workers also poll.

use std::borrow::Cow;
use std::collections::HashSet;
use std::time::Duration;

use sqlx::postgres::PgPoolOptions;
use sqlx::{PgExecutor, PgPool};
use tokio::sync::mpsc;

/// The channel that worker processes listen on; the payload is a queue's name.
pub(crate) const CHANNEL: &str = "queue_wake";

/// The least time between two messages.
const GAP: Duration = Duration::from_millis(2);

/// A handle for waking workers; clones share one connection.
#[derive(Debug, Clone)]
pub struct Notifier {
    queues: mpsc::UnboundedSender<Cow<'static, str>>,
}

impl Notifier {
    /// Starts the sender, on a connection of its own to the pool's database. It ends with the last clone.
    pub fn spawn(pool: PgPool) -> Notifier {
        let (queues, receiver) = mpsc::unbounded_channel();
        tokio::spawn(send_all(pool, receiver));
        Notifier { queues }
    }

    /// Wakes the workers of this queue; call it after the commit. Returns at once.
    pub fn wake(&self, queue: impl Into<Cow<'static, str>>) {
        // The sender lives as long as any handle, so this fails only while the runtime shuts down.
        let _ = self.queues.send(queue.into());
    }
}

async fn send_all(pool: PgPool, mut queues: mpsc::UnboundedReceiver<Cow<'static, str>>) {
    // A hint need not wait for the disk: it is sent after the commit that it tells of.
    let options = pool.connect_options().as_ref().clone().application_name("bitnexus queue notify");
    let options = options.options([("synchronous_commit", "off")]);
    // Not tested before use, which would double the way of each hint.
    let own = PgPoolOptions::new().max_connections(1).test_before_acquire(false).connect_lazy_with(options);
    while let Some(first) = queues.recv().await {
        let mut names = HashSet::from([first]);
        while let Ok(more) = queues.try_recv() {
            names.insert(more);
        }
        let names: Vec<&str> = names.iter().map(Cow::as_ref).collect();
        if let Err(error) = send(&own, &names).await {
            tracing::debug!(%error, "a wake-up was not sent; workers find the jobs by polling");
        }
        tokio::time::sleep(GAP).await;
    }
}

/// Sends a message for each of these queues, at once.
pub(crate) async fn send(executor: impl PgExecutor<'_>, names: &[&str]) -> sqlx::Result<()> {
    sqlx::query!("select pg_notify($1, name) from unnest($2::text[]) as name", CHANNEL, names as &[&str])
        .execute(executor)
        .await?;
    Ok(())
}
