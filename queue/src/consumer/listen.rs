//! Listens for hints that there is work, or that an operator has said something.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener};

use super::Shared;
use crate::control;
use crate::notify::{CHANNEL, lone_job};
use crate::pool_options;
use crate::schedule::CHANGED;

/// The wait after a failure; meanwhile polling finds the jobs.
const BACKOFF: Duration = Duration::from_secs(1);

pub(super) async fn run(shared: Arc<Shared>, options: Arc<PgConnectOptions>) {
    let options = options.as_ref().clone().application_name("bitnexus queue listen");
    let listen = async {
        loop {
            if let Err(error) = listen(&shared, options.clone()).await {
                tracing::warn!(%error, "no wake-ups for now; polling finds the jobs");
            }
            shared.is_listening.store(false, Ordering::Relaxed);
            tokio::time::sleep(BACKOFF).await;
        }
    };
    tokio::select! {
        () = listen => {}
        () = shared.stopping.cancelled() => {}
    }
}

async fn listen(shared: &Shared, options: PgConnectOptions) -> sqlx::Result<()> {
    let pool = pool_options().max_connections(1).connect_with(options).await?;
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.listen_all([CHANNEL, control::CHANNEL]).await?;
    shared.is_listening.store(true, Ordering::Relaxed);
    // What was enqueued or changed while nobody listened.
    shared.hint_all();
    shared.schedules.notify_one();
    // None says that the connection was lost, and messages with it.
    while let Some(message) = listener.try_recv().await? {
        if message.channel() == control::CHANNEL {
            // A pause or a cancelled job is heard of with a heartbeat; what was resumed or redriven may be anywhere.
            shared.control.notify_one();
            shared.hint_all();
        } else if message.payload() == CHANGED {
            shared.schedules.notify_one();
            continue;
        } else if let Some((queue, id)) = lone_job(message.payload()) {
            shared.hint_lone(queue, id);
            // It is ready: there is nothing to promote.
            continue;
        } else {
            shared.hint(std::iter::once(message.payload()));
        }
        shared.promote.notify_one();
    }
    Ok(())
}
