//! The resources as the API shows them: one file each, made from the domain's type and from nothing else.

pub(crate) mod account;
pub(crate) mod audit;
pub(crate) mod category;
pub(crate) mod import;
pub(crate) mod job;
pub(crate) mod job_kind;
pub(crate) mod job_summary;
pub(crate) mod key;
pub(crate) mod money;
pub(crate) mod product;
pub(crate) mod proof;
pub(crate) mod queue;
pub(crate) mod reconciliation;
pub(crate) mod schedule;
pub(crate) mod session;
pub(crate) mod statement;
pub(crate) mod transaction;
pub(crate) mod user;
pub(crate) mod webhook;
pub(crate) mod worker;
