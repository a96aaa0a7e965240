//! The kinds of job that a worker can run, and the application's state that they share.

use std::any::{Any, TypeId, type_name};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use crate::encryption::Keyring;
use crate::payload::version;
use crate::run::{RunKind, run_batch, run_single};
use crate::schedule::{Schedule, ScheduleError};
use crate::{BatchJob, Job, Limit, Retry};

/// A kind, without its type.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) queue: &'static str,
    pub(crate) retry: Retry,
    pub(crate) timeout: Duration,
    /// How many days its ended jobs are kept, if that is fewer than those of others.
    pub(crate) history_days: Option<u16>,
    /// How long a job goes on after somebody has asked for its end.
    pub(crate) cancel_grace: Duration,
    /// The most jobs in one run; 1 unless it is a batch kind.
    pub(crate) batch_max: usize,
    /// How many runs a process has at once, if the kind limits it.
    pub(crate) concurrency: Option<usize>,
    pub(crate) run: RunKind,
}

/// The application's state, by type.
#[derive(Debug, Default, Clone)]
pub(crate) struct States(HashMap<TypeId, Arc<dyn Any + Send + Sync>>);

impl States {
    pub(crate) fn get<T: Send + Sync + 'static>(&self) -> Arc<T> {
        let found = self.0.get(&TypeId::of::<T>()).cloned();
        let found = found.unwrap_or_else(|| panic!("the registry was given no state of type {}", type_name::<T>()));
        found.downcast().expect("it is stored under its own type")
    }
}

/// Every kind of job that a worker process runs. Clones share the kinds and the state.
#[derive(Debug, Default, Clone)]
pub struct Registry {
    kinds: HashMap<&'static str, Arc<Kind>>,
    pub(crate) limits: Vec<Limit>,
    pub(crate) keyring: Option<Keyring>,
    pub(crate) states: States,
    pub(crate) schedules: Vec<Schedule>,
}

impl Registry {
    /// An empty one.
    pub fn new() -> Registry {
        Registry::default()
    }

    /// With this kind, which runs one at a time.
    ///
    /// # Panics
    /// When the kind's name is taken.
    #[must_use]
    pub fn job<J: Job>(self) -> Registry {
        const { version(J::VERSION) };
        self.kind(Kind {
            name: J::KIND,
            queue: J::QUEUE,
            retry: J::RETRY,
            timeout: J::TIMEOUT,
            history_days: J::HISTORY_DAYS,
            cancel_grace: J::CANCEL_GRACE,
            batch_max: 1,
            concurrency: None,
            run: RunKind::Single(run_single::<J>),
        })
    }

    /// With this kind, which runs in batches.
    ///
    /// # Panics
    /// When the kind's name is taken, or its batches are empty or never run.
    #[must_use]
    pub fn batch<J: BatchJob>(self) -> Registry {
        const { version(J::VERSION) };
        assert!(J::BATCH_MAX > 0 && J::CONCURRENCY > 0, "{} has room for no job", J::KIND);
        self.kind(Kind {
            name: J::KIND,
            queue: J::QUEUE,
            retry: J::RETRY,
            timeout: J::TIMEOUT,
            history_days: J::HISTORY_DAYS,
            cancel_grace: Duration::ZERO,
            batch_max: J::BATCH_MAX,
            concurrency: Some(J::CONCURRENCY),
            run: RunKind::Batch(run_batch::<J>),
        })
    }

    /// With this limit, which the worker declares when it starts; what an operator has said of it since counts more.
    ///
    /// # Panics
    /// When the limit's name is taken.
    #[must_use]
    pub fn limit(mut self, limit: Limit) -> Registry {
        assert!(self.limits.iter().all(|one| one.name != limit.name), "the limit {} is given twice", limit.name);
        self.limits.push(limit);
        self
    }

    /// With state of the application, which jobs of any kind reach by its type.
    #[must_use]
    pub fn state<S: Send + Sync + 'static>(mut self, state: Arc<S>) -> Registry {
        self.states.0.insert(TypeId::of::<S>(), state);
        self
    }

    /// With this schedule, which each worker process declares when it starts.
    ///
    /// # Panics
    /// When the schedule's name is taken.
    #[must_use]
    pub fn schedule(mut self, schedule: Schedule) -> Registry {
        let is_taken = self.schedules.iter().any(|other| other.name == schedule.name);
        assert!(!is_taken, "the schedule {} is registered twice", schedule.name);
        self.schedules.push(schedule);
        self
    }

    /// With these times for a schedule, instead of those in code, as [`Schedule::configured`] has them.
    ///
    /// # Errors
    /// [`ScheduleError::NotFound`] and [`ScheduleError::Spec`].
    pub fn reschedule(mut self, name: &str, text: &str) -> Result<Registry, ScheduleError> {
        let found = self.schedules.iter_mut().find(|schedule| schedule.name == name);
        let schedule = found.ok_or_else(|| ScheduleError::NotFound(name.to_owned()))?;
        *schedule = schedule.clone().configured(text)?;
        Ok(self)
    }

    /// The schedules that worker processes declare.
    pub fn schedules(&self) -> &[Schedule] {
        &self.schedules
    }

    /// With the keys that sealed payloads are opened with.
    #[must_use]
    pub fn keyring(mut self, keyring: Keyring) -> Registry {
        self.keyring = Some(keyring);
        self
    }

    /// The queues that its kinds use, in alphabetical order.
    pub fn queues(&self) -> Vec<&'static str> {
        let queues: BTreeSet<_> = self.kinds.values().map(|kind| kind.queue).collect();
        queues.into_iter().collect()
    }

    /// The names of its kinds, in alphabetical order.
    pub fn kinds(&self) -> Vec<&'static str> {
        let kinds: BTreeSet<_> = self.kinds.keys().copied().collect();
        kinds.into_iter().collect()
    }

    /// The kinds whose ended jobs are kept for a time of their own.
    pub(crate) fn kept_apart(&self) -> Vec<(&'static str, u16)> {
        self.kinds.values().filter_map(|kind| Some((kind.name, kind.history_days?))).collect()
    }

    pub(crate) fn find(&self, kind: &str) -> Option<&Arc<Kind>> {
        self.kinds.get(kind)
    }

    pub(crate) fn of_queue(&self, queue: &str) -> impl Iterator<Item = &Arc<Kind>> {
        self.kinds.values().filter(move |kind| kind.queue == queue)
    }

    fn kind(mut self, kind: Kind) -> Registry {
        let name = kind.name;
        assert!(self.kinds.insert(name, Arc::new(kind)).is_none(), "the kind {name} is registered twice");
        self
    }
}
