//! The `bitnexus` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::commands::main()
}
