//! `?wait=`: requests that wait until their job has ended. One task asks for all of them at once, and only while somebody waits.

use std::collections::HashMap;
use std::time::Duration;

use queue::inspect::whereabouts;
use sqlx::PgPool;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

/// The pause between two questions while somebody waits.
const POLL_PAUSE: Duration = Duration::from_millis(25);

struct Wish {
    shard: i16,
    id: Uuid,
    ended: oneshot::Sender<()>,
}

type Waiting = HashMap<i16, HashMap<Uuid, Vec<oneshot::Sender<()>>>>;

/// Where requests wait for jobs.
pub(crate) struct JobWaiters(mpsc::UnboundedSender<Wish>);

impl JobWaiters {
    /// Starts the task; it ends when the value is dropped.
    pub(crate) fn spawn(pool: PgPool) -> JobWaiters {
        let (sender, receiver) = mpsc::unbounded_channel();
        tokio::spawn(watch(pool, receiver));
        JobWaiters(sender)
    }

    /// Returns when the job is no longer live, or after `limit`.
    pub(crate) async fn ended(&self, shard: i16, id: Uuid, limit: Duration) {
        let (ended, heard) = oneshot::channel();
        if self.0.send(Wish { shard, id, ended }).is_ok() {
            // Whether it has ended or the time is over: the caller looks anyway.
            let _ = tokio::time::timeout(limit, heard).await;
        }
    }
}

async fn watch(pool: PgPool, mut wishes: mpsc::UnboundedReceiver<Wish>) {
    let mut waiting = Waiting::new();
    let note = |waiting: &mut Waiting, wish: Wish| {
        waiting.entry(wish.shard).or_default().entry(wish.id).or_default().push(wish.ended);
    };
    loop {
        if waiting.is_empty() {
            let Some(wish) = wishes.recv().await else { return };
            note(&mut waiting, wish);
        }
        tokio::time::sleep(POLL_PAUSE).await;
        while let Ok(wish) = wishes.try_recv() {
            note(&mut waiting, wish);
        }
        for (shard, jobs) in &mut waiting {
            jobs.retain(|_, waiters| waiters.iter().any(|waiter| !waiter.is_closed()));
            if let Err(error) = tell(&pool, *shard, jobs).await {
                tracing::warn!(%error, "cannot tell waiting requests whether their jobs have ended");
            }
        }
        waiting.retain(|_, jobs| !jobs.is_empty());
    }
}

/// Tells those whose job is no longer live.
async fn tell(pool: &PgPool, shard: i16, jobs: &mut HashMap<Uuid, Vec<oneshot::Sender<()>>>) -> sqlx::Result<()> {
    if jobs.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = jobs.keys().copied().collect();
    let live = whereabouts(&mut *pool.acquire().await?, shard, &ids).await?.live;
    for id in ids.iter().filter(|id| !live.contains(*id)) {
        for waiter in jobs.remove(id).into_iter().flatten() {
            // A request that has gone away does not need its answer.
            let _ = waiter.send(());
        }
    }
    Ok(())
}
