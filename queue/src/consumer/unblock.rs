//! Tells jobs that wait for others when those have ended, apart from claiming and settling.

use std::collections::HashSet;
use std::sync::Arc;

use sqlx::postgres::PgConnectOptions;
use tokio::time::timeout;

use super::Shared;
use crate::flow::{Unblocked, unblock};
use crate::lane::Source;
use crate::link::Link;
use crate::metrics::UNBLOCKED;
use crate::notify::{self, Hint};

/// Works whenever something has ended that others wait for: this process settled it, or a heartbeat saw it.
pub(super) async fn unblock_all(shared: Arc<Shared>, options: Arc<PgConnectOptions>) {
    let mut link = Link::new("unblock", &options, &[]);
    let unblock_all = async {
        loop {
            let told = timeout(shared.timing.lease, async { unblock(link.get().await?, shared.shard).await });
            let told = told.await;
            let Some(told) = link.check(told).await else { continue };
            if told.steps == 0 {
                shared.unblock.notified().await;
                continue;
            }
            metrics::counter!(UNBLOCKED.name, "outcome" => "unblocked").increment(told.unblocked);
            metrics::counter!(UNBLOCKED.name, "outcome" => "cancelled").increment(told.cancelled);
            shared.wake(&told);
            wake_others(&mut link, &told).await;
        }
    };
    tokio::select! {
        () = unblock_all => {}
        () = shared.stopping.cancelled() => {}
    }
}

impl Shared {
    /// Tells the other tasks of this process what there is to do for them now.
    fn wake(&self, told: &Unblocked) {
        for lane in told.limited.iter().filter_map(|queue| self.lane(queue)) {
            lane.hint(Source::Limited);
        }
        self.hint(told.ready.iter().map(String::as_str));
        if told.is_scheduled {
            self.promote.notify_one();
        }
    }
}

/// A hint: what is not told finds the jobs by polling.
async fn wake_others(link: &mut Link, told: &Unblocked) {
    let queues: HashSet<Hint> = told.ready.iter().chain(&told.limited).cloned().map(notify::of_queue).collect();
    if queues.is_empty() {
        return;
    }
    let sent = async { notify::send(link.get().await?, &queues).await };
    if let Err(error) = sent.await {
        tracing::debug!(%error, "a wake-up was not sent; workers find the jobs by polling");
    }
}
