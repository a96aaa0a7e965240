//! Events pushed to clients: one follower a process reads the log and hands each event to whoever wants it.

mod follow;
mod hub;
pub(crate) mod phoenix;
mod subscription;

pub(crate) use hub::{Hub, Refused, Wanted};
pub(crate) use subscription::{Delivery, Ended, Subscription};
