//! What happens, as it happens.

pub(super) mod follow;
