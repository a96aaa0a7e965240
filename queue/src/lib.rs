//! Stub of the surface, replaced by the queue's own branch.
#![allow(
    missing_docs,
    unused,
    clippy::all,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::unimplemented
)]
use chrono::{DateTime, Utc};
use serde::{Serialize, de::DeserializeOwned};
use sqlx::{PgConnection, PgPool};
use std::{future::Future, marker::PhantomData, sync::Arc, time::Duration};
use uuid::Uuid;
#[derive(Debug, Clone, Copy)]
pub struct Priority(i16);
impl Priority {
    pub const HIGH: Self = Self(0);
    pub const NORMAL: Self = Self(1);
}
#[derive(Debug, Clone, Copy)]
pub struct Retry;
impl Retry {
    pub const DEFAULT: Self = Self;
    pub const fn exponential(_: Duration) -> Self {
        Self
    }
    pub const fn max_attempts(self, _: u32) -> Self {
        self
    }
}
#[derive(Debug)]
pub enum JobError {
    Retry(String),
    RetryAfter(String, Duration),
    Snooze(Duration),
    Discard(String),
    Cancel(String),
}
impl JobError {
    pub fn retry(e: impl std::fmt::Display) -> Self {
        Self::Retry(e.to_string())
    }
    pub fn discard(e: impl std::fmt::Display) -> Self {
        Self::Discard(e.to_string())
    }
}
impl From<sqlx::Error> for JobError {
    fn from(e: sqlx::Error) -> Self {
        Self::retry(e)
    }
}
pub struct JobContext<'a>(PhantomData<&'a ()>);
impl JobContext<'_> {
    pub async fn tx(&mut self) -> Result<&mut PgConnection, JobError> {
        unimplemented!()
    }
    pub fn state<T: Send + Sync + 'static>(&self) -> Arc<T> {
        unimplemented!()
    }
}
pub struct Item<T> {
    pub id: Uuid,
    pub attempt: i32,
    pub payload: T,
}
pub struct Batch<'a, J>(PhantomData<&'a J>);
impl<J> Batch<'_, J> {
    pub fn items(&self) -> &[Item<J>] {
        unimplemented!()
    }
    pub fn set(&mut self, _: usize, _: Result<(), JobError>) {}
    pub async fn tx(&mut self) -> Result<&mut PgConnection, JobError> {
        unimplemented!()
    }
}
pub trait Job: Serialize + DeserializeOwned + Send + Sync + 'static {
    const KIND: &'static str;
    const QUEUE: &'static str;
    const PRIORITY: Priority = Priority::NORMAL;
    const RETRY: Retry = Retry::DEFAULT;
    const TIMEOUT: Duration = Duration::from_secs(60);
    fn run(self, ctx: &mut JobContext<'_>) -> impl Future<Output = Result<(), JobError>> + Send;
}
pub trait BatchJob: Serialize + DeserializeOwned + Send + Sync + 'static {
    const KIND: &'static str;
    const QUEUE: &'static str;
    const PRIORITY: Priority = Priority::NORMAL;
    const RETRY: Retry = Retry::DEFAULT;
    const TIMEOUT: Duration = Duration::from_secs(60);
    const BATCH_MAX: usize;
    fn run(batch: &mut Batch<'_, Self>) -> impl Future<Output = Result<(), JobError>> + Send
    where
        Self: Sized;
}
#[derive(Debug, Clone, Copy)]
pub enum Unique {
    UntilStarted,
    WhileLive,
}
#[derive(Debug, Clone)]
pub struct NewJob {
    pub id: Uuid,
}
#[derive(Debug, thiserror::Error)]
pub enum EnqueueError {
    #[error("db")]
    Database(#[from] sqlx::Error),
    #[error("payload")]
    Payload(#[from] serde_json::Error),
}
impl NewJob {
    pub fn of<J: Job>(_: &J) -> Result<Self, EnqueueError> {
        unimplemented!()
    }
    pub fn batch<J: BatchJob>(_: &J) -> Result<Self, EnqueueError> {
        unimplemented!()
    }
    pub fn id(self, _: Uuid) -> Self {
        self
    }
    pub fn delay(self, _: Duration) -> Self {
        self
    }
    pub fn actor(self, _: String) -> Self {
        self
    }
    pub fn trace(self, _: String) -> Self {
        self
    }
    pub fn unique(self, _: String, _: Unique) -> Self {
        self
    }
}
pub struct Enqueued {
    pub id: Uuid,
    pub created: bool,
}
pub async fn enqueue(_: &mut PgConnection, _: &[NewJob]) -> Result<Vec<Enqueued>, EnqueueError> {
    unimplemented!()
}
#[derive(Debug, Clone)]
pub struct Notifier;
impl Notifier {
    pub fn spawn(_: PgPool) -> Self {
        Self
    }
    pub fn wake(&self, _: &'static str) {}
}
pub struct Registry;
impl Registry {
    pub fn new() -> Self {
        Self
    }
    pub fn job<J: Job>(self) -> Self {
        self
    }
    pub fn batch<J: BatchJob>(self) -> Self {
        self
    }
    pub fn state<S: Send + Sync + 'static>(self, _: Arc<S>) -> Self {
        self
    }
}
pub mod inspect { use super::*;
pub struct AttemptError { pub attempt: i32, pub error: String, pub at: DateTime<Utc> }
pub struct JobView { pub id: Uuid, pub kind: String, pub queue: String, pub state: String, pub priority: i16, pub attempt: i32, pub max_attempts: i32, pub run_at: DateTime<Utc>, pub created_at: DateTime<Utc>, pub started_at: Option<DateTime<Utc>>, pub finished_at: Option<DateTime<Utc>>, pub errors: Vec<AttemptError>, pub actor: Option<String>, pub progress: Option<serde_json::Value>, pub result: Option<serde_json::Value> }
pub async fn find(_: &mut PgConnection, _: i16, _: Uuid) -> sqlx::Result<Option<JobView>> { Ok(None) } }
