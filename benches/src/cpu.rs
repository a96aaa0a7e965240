//! Where the time goes: processor seconds of processes and all that they started.

use std::collections::HashMap;
use std::fs;

/// The kernel counts processor time in hundredths of a second on every Linux that we run on.
const TICKS_PER_SECOND: f64 = 100.0;

/// Processor seconds, user and system, that the process `root` and those below it have used so far.
pub(crate) fn seconds(root: u32) -> f64 {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let seen: HashMap<u32, (u32, u64)> = pids.filter_map(|pid| Some((pid, read(pid)?))).collect();
    let ticks: u64 = seen.iter().filter(|(pid, _)| is_below(&seen, **pid, root)).map(|(_, (_, ticks))| ticks).sum();
    ticks as f64 / TICKS_PER_SECOND
}

/// The same of one process alone.
pub(crate) fn seconds_alone(pid: u32) -> f64 {
    read(pid).map_or(0.0, |(_, ticks)| ticks as f64 / TICKS_PER_SECOND)
}

fn is_below(seen: &HashMap<u32, (u32, u64)>, pid: u32, root: u32) -> bool {
    let mut next = Some(pid);
    while let Some(current) = next {
        if current == root {
            return true;
        }
        next = seen.get(&current).map(|(parent, _)| *parent);
    }
    false
}

/// The most memory that the process, and each of those below it, had in use so far; the largest of them, in MB.
pub(crate) fn memory_peak_mb(root: u32) -> f64 {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let seen: HashMap<u32, (u32, u64)> = pids.filter_map(|pid| Some((pid, read(pid)?))).collect();
    let peaks = seen.keys().filter(|pid| is_below(&seen, **pid, root)).filter_map(|pid| peak_kb(*pid));
    peaks.max().unwrap_or(0) as f64 / 1_024.0
}

/// From now on, the most memory of this process is counted anew.
///
/// # Errors
/// When there is no such process.
pub(crate) fn forget_memory_peak(pid: u32) -> std::io::Result<()> {
    fs::write(format!("/proc/{pid}/clear_refs"), "5")
}

fn peak_kb(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Parent and used ticks.
fn read(pid: u32) -> Option<(u32, u64)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(11..13)?.iter().filter_map(|field| field.parse::<u64>().ok()).sum();
    Some((fields.get(1)?.parse().ok()?, ticks))
}
