//! The `bitnexus` binary.

fn main() {}
