//! Operating jobs, queues and schedules over HTTP.

mod audit;
mod enqueue;
mod jobs;
mod kit;
mod queues;
mod schedules;
