//! Phoenix Channels, as a client sees them byte by byte: rights, limits, what was missed, several processes.

pub(crate) mod kit;
mod limits;
mod longpoll;
mod missed;
mod presence;
mod protocol;
mod rights;
