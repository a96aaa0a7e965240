//! Events pushed to clients: one follower a process reads the log and hands each event to whoever wants it.

mod access;
mod follow;
mod hub;
mod metrics;
mod seats;
mod sse;
mod subscription;

pub(crate) use self::metrics::describe as describe_metrics;
pub(crate) use access::{may_follow, may_follow_everything};
pub(crate) use hub::{Hub, Refused, Wanted};
pub(crate) use seats::Seats;
pub(crate) use sse::{SseReply, Stream};
