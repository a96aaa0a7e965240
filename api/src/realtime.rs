//! What is told as it happens.

pub(crate) mod phoenix;
