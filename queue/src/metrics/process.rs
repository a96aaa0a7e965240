//! What a process takes of its machine, from `/proc`; on a system without it there is nothing to tell.

use std::fmt::Write;
use std::fs;

/// A process, as of now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usage {
    /// Processor time since its start, in seconds.
    pub cpu_s: f64,
    /// Memory in use, in bytes.
    pub memory_bytes: u64,
    /// When it started, in seconds since 1970.
    pub started_at_s: f64,
    /// How many threads it has.
    pub threads: u64,
}

/// The ticks of a second in `/proc`, the same on every Linux that anybody runs.
const TICKS_PER_S: f64 = 100.0;

/// What the process takes; none if it is gone or there is no `/proc`.
pub fn usage(pid: u32) -> Option<Usage> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let booted_at_s = field(&fs::read_to_string("/proc/stat").ok()?, "btime")?;
    // A process that ended and was not waited for has no memory.
    let memory_kib = field(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?, "VmRSS:").unwrap_or(0);
    parse(&stat, booted_at_s as f64, memory_kib * 1024)
}

/// Reads `/proc/<pid>/stat`; the program's name, in parentheses, may hold anything.
fn parse(stat: &str, booted_at_s: f64, memory_bytes: u64) -> Option<Usage> {
    let fields: Vec<&str> = stat.get(stat.rfind(')')? + 2..)?.split(' ').collect();
    // Counted from the state, the third field of all.
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    let cpu_s = (number(11)? + number(12)?) as f64 / TICKS_PER_S;
    let started_at_s = booted_at_s + number(19)? as f64 / TICKS_PER_S;
    Some(Usage { cpu_s, memory_bytes, started_at_s, threads: number(17)? })
}

/// A line `name value` of a file of `/proc`.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.split_whitespace().next() == Some(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// The metrics of this process in Prometheus' text format, and which release it is.
pub fn page(version: &str) -> String {
    let mut page = String::new();
    sample(&mut page, "build_info", "gauge", "Always 1; the label is the release.", "");
    writeln!(page, "build_info{{version=\"{version}\"}} 1\n").expect("writing to a string works");
    let Some(usage) = usage(std::process::id()) else { return page };
    let single: [(&str, &str, &str, f64); 6] = [
        ("process_start_time_seconds", "gauge", "When the process started, in seconds since 1970.", usage.started_at_s),
        ("process_cpu_seconds_total", "counter", "Processor time used.", usage.cpu_s),
        ("process_resident_memory_bytes", "gauge", "Memory in use.", usage.memory_bytes as f64),
        ("process_threads", "gauge", "Threads.", usage.threads as f64),
        ("process_open_fds", "gauge", "Open files and sockets.", open_files()),
        ("process_max_fds", "gauge", "How many there may be.", open_files_max()),
    ];
    for (name, kind, help, value) in single {
        sample(&mut page, name, kind, help, "");
        writeln!(page, "{name} {value}\n").expect("writing to a string works");
    }
    page
}

/// The lines that describe a metric, and then `samples`.
pub fn sample(page: &mut String, name: &str, kind: &str, help: &str, samples: &str) {
    write!(page, "# HELP {name} {help}\n# TYPE {name} {kind}\n{samples}").expect("writing to a string works");
}

fn open_files() -> f64 {
    fs::read_dir("/proc/self/fd").map_or(0.0, |files| files.count() as f64)
}

/// The soft limit; 0 when there is none.
fn open_files_max() -> f64 {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_may_be_called_anything() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 0 0 0 0 0 150 50 0 0 20 0 9 0 1000 0 0";
        let usage = parse(stat, 1_000.0, 4096).unwrap();
        assert_eq!(usage, Usage { cpu_s: 2.0, memory_bytes: 4096, started_at_s: 1_010.0, threads: 9 });
        assert_eq!(parse("7 (cut", 0.0, 0), None);
    }

    #[test]
    fn this_process_takes_something() {
        let usage = usage(std::process::id()).unwrap();
        assert!(usage.memory_bytes > 1 << 20 && usage.threads > 0 && usage.started_at_s > 1.6e9, "{usage:?}");
        assert_eq!(super::usage(u32::MAX), None);
        let page = page("1.2.3");
        assert!(page.contains("build_info{version=\"1.2.3\"} 1\n"), "{page}");
        assert_eq!(page.matches("# TYPE process_").count(), 6);
    }
}
