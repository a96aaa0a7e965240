//! The suites, one file each.

pub(crate) mod api;
pub(crate) mod events;
pub(crate) mod imports;
pub(crate) mod ledger;
pub(crate) mod queue;
pub(crate) mod search;
pub(crate) mod sockets;
