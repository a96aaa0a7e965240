//! Running jobs that somebody wants ended.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;
use uuid::Uuid;

use crate::settle::Holding;

/// A claim that is to end, and who wants that.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) job: Uuid,
    pub(crate) epoch: i32,
    pub(crate) actor: String,
}

/// What this process has heard of, by job and epoch: a wish for one claim does not end another one of the same job. A job
/// that ends at once, as most do, never waits here.
#[derive(Debug)]
pub(crate) struct Cancellations {
    wishes: Mutex<HashMap<(Uuid, i32), String>>,
    is_empty: AtomicBool,
    bell: watch::Sender<()>,
}

impl Cancellations {
    pub(crate) fn new() -> Cancellations {
        Cancellations { wishes: Mutex::default(), is_empty: AtomicBool::new(true), bell: watch::Sender::new(()) }
    }

    /// Somebody wants these ended.
    pub(crate) fn hear(&self, wishes: &[Wish]) {
        if wishes.is_empty() {
            return;
        }
        let heard = wishes.iter().map(|wish| ((wish.job, wish.epoch), wish.actor.clone()));
        self.wishes.lock().expect("nothing panics while it is held").extend(heard);
        self.is_empty.store(false, Ordering::Relaxed);
        self.bell.send_replace(());
    }

    /// The claim has ended here.
    pub(crate) fn forget(&self, claim: Holding) {
        if !self.is_empty.load(Ordering::Relaxed) {
            let mut wishes = self.wishes.lock().expect("nothing panics while it is held");
            // One that came too late for an earlier claim goes with it.
            wishes.retain(|(job, epoch), _| *job != claim.id || *epoch > claim.epoch);
            self.is_empty.store(wishes.is_empty(), Ordering::Relaxed);
        }
    }

    /// Completes when somebody wants one of these ended.
    pub(crate) async fn wanted(&self, claims: &[Holding]) {
        let mut bell = self.bell.subscribe();
        while !claims.iter().any(|claim| self.who(*claim).is_some()) {
            bell.changed().await.expect("the sender is part of this");
        }
    }

    /// Who wants it ended, if somebody does.
    pub(crate) fn who(&self, claim: Holding) -> Option<String> {
        if self.is_empty.load(Ordering::Relaxed) {
            return None;
        }
        self.wishes.lock().expect("nothing panics while it is held").get(&(claim.id, claim.epoch)).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_for_one_claim_and_goes_with_it() {
        let (id, owner, claimed_at) = (Uuid::nil(), Uuid::max(), chrono::DateTime::UNIX_EPOCH);
        let claim = |epoch| Holding { id, epoch, owner, claimed_at };
        let cancellations = Cancellations::new();
        cancellations.hear(&[Wish { job: claim(1).id, epoch: 1, actor: "ada".to_owned() }]);
        assert_eq!(cancellations.who(claim(1)).as_deref(), Some("ada"));
        assert_eq!(cancellations.who(claim(2)), None, "it is claimed again");
        cancellations.forget(claim(2));
        assert_eq!(cancellations.who(claim(1)), None, "nothing is left of it");
    }
}
