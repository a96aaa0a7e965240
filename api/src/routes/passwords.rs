//! Setting passwords: one's own, or by a token.

pub(crate) mod ask;
pub(crate) mod change;
pub(crate) mod confirm;
pub(crate) mod create_reset;
