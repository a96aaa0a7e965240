//! What PostgreSQL wrote into its log last, for whoever asks why it does not run.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// So much of the end is read; a log may have grown for years.
const BYTES: u64 = 64 * 1024;

/// Lines of [`tail`].
const LINES: usize = 8;

/// The last lines.
pub(super) fn tail(log: &Path) -> String {
    let end = end(log);
    let lines: Vec<_> = end.lines().rev().take(LINES).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}

/// Why the server of this log ended or did not start: the last thing that one of its own processes died of since it last
/// accepted connections.
pub(super) fn last(log: &Path) -> Option<String> {
    last_in(&end(log)).map(str::to_owned)
}

fn last_in(text: &str) -> Option<&str> {
    let since_ready = text.lines().rev().take_while(|line| !line.contains("database system is ready to accept"));
    // Between the process and the level stands whose connection it is: nothing for the server's own, by `log_line_prefix`.
    let own = since_ready.filter_map(|line| line.split_once("]  FATAL:  ").or_else(|| line.split_once("PANIC:  ")));
    // What was told to end is no reason why all did.
    own.map(|(_, words)| words.trim()).find(|words| !words.starts_with("terminating "))
}

fn end(log: &Path) -> String {
    let read = || {
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(BYTES)))?;
        let mut bytes = Vec::new();
        file.take(BYTES).read_to_end(&mut bytes)?;
        std::io::Result::Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    read().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_are_the_servers_own_since_it_last_ran() {
        let ready = "2026-11-22 09:00:00.000 UTC [7]  LOG:  database system is ready to accept connections\n";
        let client = "2026-11-22 09:00:01.000 UTC [8] [unknown] FATAL:  role \"ada\" does not exist\n";
        let full = "2026-11-22 09:00:02.000 UTC [9]  FATAL:  could not write to file \"x\": No space left on device\n";
        let panic = "2026-11-22 09:00:02.000 UTC [9] bitnexus worker PANIC:  could not write to log file: full\n";
        let ended =
            "2026-11-22 09:00:01.000 UTC [8]  FATAL:  terminating autovacuum process due to administrator command\n";
        let refused = "2026-11-22 09:00:03.000 UTC [10] [unknown] FATAL:  the database system is starting up\n";
        for (text, expected) in [
            (format!("{full}{ready}{client}{ended}"), None),
            (format!("{ready}{client}{full}{refused}"), Some("could not write to file \"x\": No space left on device")),
            (format!("{full}{ready}{panic}{refused}"), Some("could not write to log file: full")),
        ] {
            assert_eq!(last_in(&text), expected);
        }
    }
}
