//! Tells worker processes that there is work: a hint, sent after the commit.
//!
//! Commits that NOTIFY wait for each other, so in a stream it rides neither in the enqueuing transaction nor once for each
//! job: one connection of this process sends what gathered, at most once every few milliseconds. Only a job that comes
//! alone, as [`Pace`] finds, is told of by its own commit ([`enqueue_waking`](crate::enqueue_waking)). A hint
//! that is lost costs time, not work, since workers also poll.

use std::borrow::Cow;
use std::collections::HashSet;
use std::time::{Duration, Instant};

use sqlx::{PgExecutor, PgPool};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::{Kept, pool_options};

/// The channel that worker processes listen on; the payload is a queue's name, or what [`of_lone_job`] makes.
pub(crate) const CHANNEL: &str = "queue_wake";

/// What the commit of a job that is ready and came alone says on [`CHANNEL`].
pub(crate) fn of_lone_job(queue: &str, id: Uuid) -> String {
    format!("{queue} {id}")
}

/// The queue and the id, if that is what was said.
pub(crate) fn lone_job(payload: &str) -> Option<(&str, Uuid)> {
    let (queue, id) = payload.rsplit_once(' ')?;
    Some((queue, Uuid::try_parse(id).ok()?))
}

/// The least time between two messages.
const GAP: Duration = Duration::from_millis(2);

/// What is said after a commit: a channel and a text.
pub(crate) type Hint = (&'static str, Cow<'static, str>);

/// That there are jobs in this queue.
pub(crate) fn of_queue(queue: impl Into<Cow<'static, str>>) -> Hint {
    (CHANNEL, queue.into())
}

/// That there is something to look for on this channel of somebody else's.
pub(crate) fn of_channel(channel: &'static str) -> Hint {
    (channel, Cow::Borrowed(""))
}

/// A handle for waking workers, and others who listen; clones share one connection.
#[derive(Debug, Clone)]
pub struct Notifier {
    hints: mpsc::UnboundedSender<Hint>,
}

impl Notifier {
    /// Starts the sender, on a connection of its own to the pool's database. It ends with the last clone.
    pub fn spawn(pool: PgPool) -> Notifier {
        let (hints, receiver) = mpsc::unbounded_channel();
        tokio::spawn(send_all(pool, receiver));
        Notifier { hints }
    }

    /// Wakes the workers of this queue; call it after the commit. Returns at once.
    pub fn wake(&self, queue: impl Into<Cow<'static, str>>) {
        self.hint(of_queue(queue));
    }

    /// Wakes who listens on this channel, which is none of the queue's; call it after the commit. Returns at once.
    pub fn tell(&self, channel: &'static str) {
        self.hint(of_channel(channel));
    }

    pub(crate) fn hint(&self, hint: Hint) {
        // The sender lives as long as any handle, so this fails only while the runtime shuts down.
        let _ = self.hints.send(hint);
    }
}

/// How quickly the commits of a process that enqueue follow each other, which decides who wakes the workers.
#[derive(Debug, Default)]
pub struct Pace {
    last_began: Option<Instant>,
}

impl Pace {
    /// Takes note of a commit of so many jobs that begins now; returns whether it may wake the workers itself: one job, and
    /// no other commit in the 2 ms before it. It holds the lock of NOTIFY until it is on the disk, and so no more often
    /// than a [`Notifier`] takes it.
    pub fn is_alone(&mut self, jobs: usize, now: Instant) -> bool {
        let last = self.last_began.replace(now);
        jobs == 1 && last.is_none_or(|last| now.duration_since(last) >= GAP)
    }
}

async fn send_all(pool: PgPool, mut hints: mpsc::UnboundedReceiver<Hint>) {
    // A hint need not wait for the disk: it is sent after the commit that it tells of.
    let options = pool.connect_options().as_ref().clone().application_name("bitnexus queue notify");
    let options = options.options([("synchronous_commit", "off")]);
    let mut own = Kept::new(pool_options().max_connections(1).connect_lazy_with(options));
    while let Some(first) = hints.recv().await {
        let mut gathered = HashSet::from([first]);
        while let Ok(more) = hints.try_recv() {
            gathered.insert(more);
        }
        let sent = async { send(own.get().await?, &gathered).await };
        match sent.await {
            Ok(()) => own.answered(),
            Err(error) => tracing::debug!(%error, "a wake-up was not sent; workers find the jobs by polling"),
        }
        tokio::time::sleep(GAP).await;
    }
}

/// Sends a message for each of these, at once.
pub(crate) async fn send(executor: impl PgExecutor<'_>, hints: &HashSet<Hint>) -> sqlx::Result<()> {
    let (channels, texts): (Vec<&str>, Vec<&str>) =
        hints.iter().map(|(channel, text)| (*channel, text.as_ref())).unzip();
    sqlx::query!(
        "select pg_notify(channel, text) from unnest($1::text[], $2::text[]) as hint (channel, text)",
        &channels as &[&str],
        &texts as &[&str],
    )
    .execute(executor)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_a_lone_job_is_understood_and_the_name_of_a_queue_stays_one() {
        let id = Uuid::from_u128(7);
        assert_eq!(lone_job(&of_lone_job("a queue", id)), Some(("a queue", id)));
        assert_eq!([lone_job(""), lone_job("a"), lone_job("a queue")], [None; 3]);
    }

    #[test]
    fn one_job_after_a_pause_is_alone() {
        let (mut pace, begin) = (Pace::default(), Instant::now());
        let mut at = |ms, jobs| pace.is_alone(jobs, begin + Duration::from_millis(ms));
        assert_eq!([at(0, 1), at(1, 1), at(2, 1), at(4, 2), at(6, 1)], [true, false, false, false, true]);
    }
}
