//! The follower that turns events into deliveries, each exactly once.
//!
//! Every worker process runs it; the cursor's row lock lets one of them work at a time. Deliveries, their jobs and the cursor's move are
//! one commit, and the ids of deliveries follow from event and endpoint: whatever is killed, none is missing and none is there twice.

use std::time::Duration;

use domain::events::log::{self, Most, PLANNER, Which};
use domain::events::{CHANNEL, Position, cursor};
use domain::webhooks::dispatch::{self, FOLLOWER, Wanted};
use queue::{BoxError, Job, Notifier};
use sqlx::postgres::PgListener;
use sqlx::{PgConnection, PgPool};
use tokio::time::{sleep, timeout};

use crate::deliver_webhook::{self, DeliverWebhook};

/// Looks without a hint are this far apart: what a lost hint costs.
const POLL: Duration = Duration::from_secs(5);
/// Looks are at least this far apart, however much happens: what is delivered over the internet is not in a hurry.
const GAP: Duration = Duration::from_millis(100);
/// The pause after a failure.
const BACKOFF: Duration = Duration::from_secs(1);
/// How much is read in one transaction.
const PAGE: Most = Most { commits: 1_000, events: 500 };
/// How long to wait for a connection.
const PATIENCE: Duration = Duration::from_secs(10);
/// A process that stands still with the cursor in its hands loses it after this time, in milliseconds.
const IDLE_MS_MAX: &str = "10000";

/// Follows the log of this shard for as long as it is polled; what fails is tried again.
pub async fn follow(pool: PgPool, notifier: Notifier, shard: i16) {
    let own = connections(&pool);
    let (mut listener, mut done) = (None, None);
    loop {
        let looked = look_on(&own, &notifier, shard, &mut done).await;
        if let Err(error) = &looked {
            tracing::warn!(%error, "webhooks are late: events cannot be turned into deliveries");
        }
        sleep(if looked.is_err() { BACKOFF } else { GAP }).await;
        listener = wait(listener, &own).await;
    }
}

/// A connection that reads the log as [`PLANNER`] says, and one that listens.
fn connections(pool: &PgPool) -> PgPool {
    let options = pool.connect_options().as_ref().clone().application_name("bitnexus webhooks").options(PLANNER);
    let options = options.options([("idle_in_transaction_session_timeout", IDLE_MS_MAX)]);
    queue::pool_options().max_connections(2).acquire_timeout(PATIENCE).connect_lazy_with(options)
}

/// Returns when there may be events; the listener is for the next time.
async fn wait(listener: Option<PgListener>, own: &PgPool) -> Option<PgListener> {
    let mut listener = match listener {
        Some(listener) => listener,
        None => {
            let listening = async {
                let mut listener = PgListener::connect_with(own).await?;
                listener.listen(CHANNEL).await.map(|()| listener)
            };
            match listening.await {
                Ok(listener) => listener,
                Err(_) => {
                    sleep(BACKOFF).await;
                    return None;
                }
            }
        }
    };
    match timeout(POLL, listener.try_recv()).await {
        Ok(Err(_) | Ok(None)) => None,
        Ok(Ok(Some(_))) | Err(_) => {
            // What was said meanwhile is answered by the one look that follows.
            while listener.next_buffered().is_some() {}
            Some(listener)
        }
    }
}

/// Turns everything that has been committed into deliveries, unless another process is at it; how many there were.
///
/// # Errors
/// When the database fails.
pub async fn look(own: &PgPool, notifier: &Notifier, shard: i16) -> Result<usize, BoxError> {
    look_on(own, notifier, shard, &mut None).await
}

/// The same, where everything up to `done` is known to be done; where nothing came since, one statement is all.
async fn look_on(own: &PgPool, notifier: &Notifier, shard: i16, done: &mut Option<i64>) -> Result<usize, BoxError> {
    let last = log::number(own, shard).await?;
    let mut made = 0;
    if *done == Some(last) {
        return Ok(made);
    }
    loop {
        let mut tx = own.begin().await?;
        if !dispatch::is_free(&mut tx, shard).await? {
            return Ok(made);
        }
        let step = step(&mut tx, shard, last).await?;
        tx.commit().await?;
        if step.made > 0 {
            notifier.wake(DeliverWebhook::QUEUE);
        }
        made += step.made;
        if step.position >= Position::end_of(last) {
            *done = Some(last);
            return Ok(made);
        }
    }
}

/// What one transaction did.
struct Step {
    made: usize,
    position: Position,
}

/// Reads a page, writes its deliveries and their jobs, and moves the cursor, in the caller's transaction.
async fn step(conn: &mut PgConnection, shard: i16, last: i64) -> Result<Step, BoxError> {
    let position = cursor::lock(&mut *conn, shard, FOLLOWER, Position::START).await?;
    if position >= Position::end_of(last) {
        return Ok(Step { made: 0, position });
    }
    let wanted = dispatch::wanted(&mut *conn, shard).await?;
    let topics = match &wanted {
        Wanted::Nothing => {
            let position = Position::end_of(last);
            cursor::advance(conn, shard, FOLLOWER, position).await?;
            return Ok(Step { made: 0, position });
        }
        Wanted::Topics(topics) => Some(topics.as_slice()),
        Wanted::Everything => None,
    };
    let which = Which { topics, until: Some(last), ..Which::default() };
    let page = log::read(&mut *conn, shard, position, which, PAGE).await?;
    let made = dispatch::dispatch(&mut *conn, shard, &page.events).await?;
    let jobs: Vec<_> = made.iter().map(|(id, endpoint)| deliver_webhook::of(shard, *id, *endpoint, *id)).collect();
    queue::enqueue(&mut *conn, &jobs).await?;
    let position = page.through.unwrap_or(Position::end_of(last));
    cursor::advance(conn, shard, FOLLOWER, position).await?;
    Ok(Step { made: made.len(), position })
}
