//! What a running service tells of itself, and what it keeps to itself: log lines and spans.

mod kit;
mod lines;
mod secrets;
mod spans;
