//! What commands print. The standard library's `println!` panics when nobody reads on, as in `bitnexus jobs list | head -1`;
//! the macros here, which take its name throughout the crate, end the process as such a reader expects.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write as _};
use std::process;

/// As a shell tells of a program that was ended by SIGPIPE: 128 and the signal's number.
const NOBODY_READS: i32 = 128 + 13;

/// Prints a line to standard output.
macro_rules! println {
    ($($text:tt)*) => {{
        $crate::output::put(format_args!($($text)*));
        $crate::output::put(format_args!("\n"));
    }};
}

/// Prints to standard output.
macro_rules! print {
    ($($text:tt)*) => { $crate::output::put(format_args!($($text)*)) };
}

/// Writes to standard output; when that cannot be, the command has no use any more and the process ends.
pub(crate) fn put(text: Arguments<'_>) {
    if let Err(error) = io::stdout().lock().write_fmt(text) {
        if error.kind() == ErrorKind::BrokenPipe {
            process::exit(NOBODY_READS);
        }
        eprintln!("error: the output cannot be written: {error}");
        process::exit(1);
    }
}
