//! Notes when API keys were used, behind the requests: they hand a name over and go on.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use domain::access::keys;
use sqlx::PgPool;
use tokio::sync::mpsc;
use uuid::Uuid;

/// So many may wait to be noted; what comes on top is noted by a later use.
const WAITING_MAX: usize = 1_000;

/// So long they are gathered before they are written.
const GATHER: Duration = Duration::from_millis(500);

/// Where requests hand over the keys that they used.
pub(super) struct KeyUse(mpsc::Sender<(i16, Uuid)>);

impl KeyUse {
    /// Starts the task that writes; it ends when the value is dropped.
    pub(super) fn spawn(pool: PgPool) -> KeyUse {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        tokio::spawn(write(pool, receiver));
        KeyUse(sender)
    }

    /// Hands over a key of this shard. Returns at once.
    pub(super) fn note(&self, shard: i16, id: Uuid) {
        // Full: too many at once, and a note is not worth a wait.
        let _ = self.0.try_send((shard, id));
    }
}

async fn write(pool: PgPool, mut used: mpsc::Receiver<(i16, Uuid)>) {
    while let Some((shard, id)) = used.recv().await {
        let mut by_shard: HashMap<i16, HashSet<Uuid>> = HashMap::from([(shard, HashSet::from([id]))]);
        tokio::time::sleep(GATHER).await;
        while let Ok((shard, id)) = used.try_recv() {
            by_shard.entry(shard).or_default().insert(id);
        }
        if let Err(error) = note(&pool, by_shard).await {
            tracing::debug!(%error, "the use of keys was not noted");
        }
    }
}

async fn note(pool: &PgPool, by_shard: HashMap<i16, HashSet<Uuid>>) -> sqlx::Result<()> {
    let mut connection = pool.acquire().await?;
    for (shard, ids) in by_shard {
        keys::note_use(&mut connection, shard, &ids.into_iter().collect::<Vec<_>>()).await?;
    }
    Ok(())
}
