//! What the binary can be told to do, one file a command.

pub mod import;
