//! Running jobs that somebody wants ended.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;
use uuid::Uuid;

/// What this process has heard of. A job that ends at once, as most do, never waits here.
#[derive(Debug)]
pub(crate) struct Cancellations {
    jobs: Mutex<HashSet<Uuid>>,
    is_empty: AtomicBool,
    bell: watch::Sender<()>,
}

impl Cancellations {
    pub(crate) fn new() -> Cancellations {
        Cancellations { jobs: Mutex::default(), is_empty: AtomicBool::new(true), bell: watch::Sender::new(()) }
    }

    /// Somebody wants these jobs ended.
    pub(crate) fn hear(&self, jobs: &[Uuid]) {
        if jobs.is_empty() {
            return;
        }
        self.jobs.lock().expect("nothing panics while it is held").extend(jobs);
        self.is_empty.store(false, Ordering::Relaxed);
        self.bell.send_replace(());
    }

    /// The job has ended here; if it runs again, that is another matter.
    pub(crate) fn forget(&self, job: Uuid) {
        if !self.is_empty.load(Ordering::Relaxed) {
            let mut jobs = self.jobs.lock().expect("nothing panics while it is held");
            jobs.remove(&job);
            self.is_empty.store(jobs.is_empty(), Ordering::Relaxed);
        }
    }

    /// Completes when somebody wants the job ended.
    pub(crate) async fn wanted(&self, job: Uuid) {
        let mut bell = self.bell.subscribe();
        while !self.is_wanted(job) {
            bell.changed().await.expect("the sender is part of this");
        }
    }

    pub(crate) fn is_wanted(&self, job: Uuid) -> bool {
        let is_empty = self.is_empty.load(Ordering::Relaxed);
        !is_empty && self.jobs.lock().expect("nothing panics while it is held").contains(&job)
    }
}
