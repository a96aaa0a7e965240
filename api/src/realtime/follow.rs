//! The follower: looks for events when it hears that there may be some, and hands them to the hub.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use domain::events::log::{self, Most, PLANNER};
use domain::events::{CHANNEL, Position};
use sqlx::PgPool;
use sqlx::postgres::PgListener;

use super::hub::Hub;

/// Looks without a hint are this far apart: what a lost hint costs.
const POLL: Duration = Duration::from_millis(250);

/// The pause after a failure.
const BACKOFF: Duration = Duration::from_millis(250);

/// Between two looks that found something there is a pause of this part of what the last one took: it keeps no more than three quarters of
/// a connection of the database busy, however much happens.
const PAUSE_SHARE: f64 = 1.0 / 3.0;

/// The longest of these pauses.
const PAUSE_MAX: Duration = Duration::from_millis(5);

/// Who listens looks up this often whether the hub is still there.
const LOOK_UP: Duration = Duration::from_secs(1);

/// How much is read at once.
const PAGE: Most = Most { commits: 64, events: 2_000 };

/// How long to wait for a connection.
const PATIENCE: Duration = Duration::from_secs(5);

/// Connections of the follower and of replays.
const CONNECTIONS_MAX: u32 = 4;

/// The connections that the log is read through.
pub(super) fn pool(pool: &PgPool) -> PgPool {
    let options = pool.connect_options().as_ref().clone().application_name("bitnexus api events").options(PLANNER);
    queue::steady_pool_options().max_connections(CONNECTIONS_MAX).acquire_timeout(PATIENCE).connect_lazy_with(options)
}

/// Starts the follower and its ear; both end with the hub.
pub(super) fn spawn(hub: &Arc<Hub>, pool: &PgPool) {
    tokio::spawn(follow(Arc::downgrade(hub)));
    tokio::spawn(listen(Arc::downgrade(hub), pool.clone()));
}

async fn follow(hub: Weak<Hub>) {
    loop {
        let pause = match hub.upgrade() {
            None => return,
            Some(hub) if !hub.has_subscribers() => {
                hub.rest();
                None
            }
            Some(hub) => Some(look(&hub).await),
        };
        match pause {
            Some(Ok(Some(took))) => tokio::time::sleep(took.mul_f64(PAUSE_SHARE).min(PAUSE_MAX)).await,
            Some(Ok(None)) | None => {
                let Some(hub) = hub.upgrade() else { return };
                let _ = tokio::time::timeout(POLL, hub.hint.notified()).await;
            }
            Some(Err(error)) => {
                tracing::warn!(%error, "the event log cannot be read; events are pushed late");
                tokio::time::sleep(BACKOFF).await;
            }
        }
    }
}

/// One look; how long it took, if it found something.
async fn look(hub: &Hub) -> sqlx::Result<Option<Duration>> {
    let began = Instant::now();
    let Some(mut position) = hub.position() else {
        hub.begin(Position::end_of(log::number(&hub.log, hub.shard).await?));
        return Ok(None);
    };
    let mut has_found = false;
    loop {
        let (last, page) = log::look(&hub.log, hub.shard, position, PAGE).await?;
        let Some(through) = page.through else { break };
        hub.hand_out(page.events, through);
        (position, has_found) = (through, true);
        if position.seq >= last && position.event == i32::MAX {
            break;
        }
    }
    Ok(has_found.then(|| began.elapsed()))
}

/// Passes hints on.
async fn listen(hub: Weak<Hub>, pool: PgPool) {
    let options = pool.connect_options().as_ref().clone().application_name("bitnexus api events listen");
    let own = queue::pool_options().max_connections(1).connect_lazy_with(options);
    while hub.strong_count() > 0 {
        if let Err(error) = hear(&own, &hub).await {
            tracing::debug!(%error, "no hints of events for now; polling finds them");
        }
        tokio::time::sleep(BACKOFF).await;
    }
}

async fn hear(own: &PgPool, hub: &Weak<Hub>) -> sqlx::Result<()> {
    let mut listener = PgListener::connect_with(own).await?;
    listener.listen(CHANNEL).await?;
    loop {
        let heard = tokio::time::timeout(LOOK_UP, listener.try_recv()).await;
        let Some(hub) = hub.upgrade() else { return Ok(()) };
        match heard {
            Ok(heard) => drop(heard?.ok_or(sqlx::Error::WorkerCrashed)?),
            Err(_silence) => {}
        }
        hub.hint();
    }
}
