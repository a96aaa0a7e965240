//! The slots of a pool: numbered from 1, added and removed while it runs.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures::future::join_all;

use super::super::lifeline::Line;
use super::super::systemd::Health;
use super::super::{Care, ChildSpec, Kept, Supervisor, measures};
use crate::metrics::page::Child;

/// How much longer than it may a process is silent before the supervisor is to blame: by then it should have killed it.
const SILENCE_EXTRA: Duration = Duration::from_secs(5);

/// The slots. Clones share them.
#[derive(Clone)]
pub(super) struct Slots {
    command: Arc<dyn Fn(u16) -> Command + Send + Sync>,
    grace: Duration,
    care: Care,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    filled: BTreeMap<u16, Arc<Kept>>,
    /// Removed, and their processes have not ended yet.
    leaving: BTreeMap<u16, Arc<Kept>>,
}

impl Slots {
    /// None yet.
    pub(super) fn new(command: Arc<dyn Fn(u16) -> Command + Send + Sync>, grace: Duration, care: Care) -> Slots {
        Slots { command, grace, care, inner: Arc::default() }
    }

    /// Adds one, with the lowest number that is free, and starts its process.
    pub(super) fn add(&self, supervisor: &Supervisor) {
        let mut inner = self.lock();
        let number = (1..).find(|number| !inner.filled.contains_key(number) && !inner.leaving.contains_key(number));
        let number = number.expect("there are more numbers than processes");
        let (command, grace) = (Arc::clone(&self.command), self.grace);
        let child = ChildSpec::new(format!("worker.{number}"), move || command(number));
        let child = ChildSpec { grace, copies_output: true, care: Some(self.care.clone()), ..child };
        measures::register(number);
        inner.filled.insert(number, Arc::new(supervisor.keep(child)));
        metrics::gauge!(measures::PROCESSES_WANTED.name).set(inner.filled.len() as f64);
    }

    /// Removes the one with the highest number; its process drains.
    pub(super) fn remove(&self) {
        let mut inner = self.lock();
        let Some((number, kept)) = inner.filled.pop_last() else { return };
        inner.leaving.insert(number, Arc::clone(&kept));
        metrics::gauge!(measures::PROCESSES_WANTED.name).set(inner.filled.len() as f64);
        let slots = self.clone();
        tokio::spawn(async move {
            kept.stop().await;
            slots.lock().leaving.remove(&number);
        });
    }

    /// Stops all processes, those that are leaving already included, and waits until they have ended.
    pub(super) async fn stop(&self) {
        let all: Vec<Arc<Kept>> = {
            let inner = self.lock();
            inner.filled.values().chain(inner.leaving.values()).cloned().collect()
        };
        join_all(all.iter().map(|kept| kept.stop())).await;
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.lock().filled.len()
    }

    /// Those there are now, in order.
    pub(super) fn all(&self) -> Vec<(u16, Arc<Kept>)> {
        self.lock().filled.iter().map(|(number, kept)| (*number, Arc::clone(kept))).collect()
    }

    /// The process of each that runs.
    pub(super) fn children(&self) -> Vec<Child> {
        let child = |(number, kept): (u16, Arc<Kept>)| {
            let current = kept.current()?;
            Some(Child { slot: number.to_string(), pid: current.pid, line: current.line? })
        };
        self.all().into_iter().filter_map(child).collect()
    }

    /// How they are.
    pub(super) fn health(&self) -> Health {
        let all = self.all();
        let current: Vec<_> = all.iter().filter_map(|(_, kept)| kept.current()).collect();
        let patience = self.care.heartbeat_timeout.map(|timeout| timeout + SILENCE_EXTRA);
        let is_overdue = |line: &Arc<Line>| patience.is_some_and(|patience| line.silence() > patience);
        // One that is starting has a longer time, and one that is not there is about to be started.
        let is_stuck = current.iter().filter(|one| one.is_ready).filter_map(|one| one.line.as_ref()).any(is_overdue);
        let ready = current.iter().filter(|one| one.is_ready).count();
        Health { wanted: all.len(), ready, is_well: !is_stuck }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("nothing panics while it is held")
    }
}
