//! A rolling restart: a new process in the place of each, one slot after the other, without a gap in service.
//!
//! When a new process does not come to work, the rest is left as it is: better the old release than none.

use tokio::task::JoinHandle;

use super::super::measures;
use super::super::slot::NotReplaced;
use super::Slots;

/// The rolling restart that is under way, if any.
#[derive(Debug, Default)]
pub(super) struct Rolling {
    task: Option<JoinHandle<()>>,
    /// It was asked for again meanwhile: what has been replaced already may be out of date.
    again: bool,
}

impl Rolling {
    /// Begins one; false if one is under way, after which another one follows.
    pub(super) fn begin(&mut self, slots: &Slots) -> bool {
        if self.task.is_some() {
            self.again = true;
            return false;
        }
        self.task = Some(tokio::spawn(roll(slots.clone())));
        true
    }

    /// Waits until it has ended; for ever if there is none.
    pub(super) async fn ended(&mut self) {
        let Some(task) = &mut self.task else { std::future::pending().await };
        if let Err(error) = task.await {
            tracing::error!(%error, "the rolling restart broke off");
        }
        self.task = None;
    }

    /// Begins the one that was asked for meanwhile, if any.
    pub(super) fn again(&mut self, slots: &Slots) -> bool {
        std::mem::take(&mut self.again) && self.begin(slots)
    }
}

async fn roll(slots: Slots) {
    let all = slots.all();
    tracing::info!(processes = all.len(), "rolling restart begins");
    for (slot, kept) in all {
        match kept.replace().await {
            Ok(()) => tracing::info!(child = slot, "replaced"),
            // It was removed, or the pool ends.
            Err(NotReplaced::Stopped) => {}
            Err(error) => {
                tracing::error!(child = slot, %error, "rolling restart aborted: this process and those after it are left as they are");
                metrics::counter!(measures::ROLLS.name, "outcome" => "aborted").increment(1);
                return;
            }
        }
    }
    tracing::info!("rolling restart completed");
    metrics::counter!(measures::ROLLS.name, "outcome" => "completed").increment(1);
}
