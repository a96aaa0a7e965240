//! Stub.
// Money is never a float.
#![deny(clippy::float_arithmetic)]
