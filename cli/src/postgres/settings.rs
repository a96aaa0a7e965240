//! The settings of the private server: durable, closed to the network, sized for a small machine that it shares.

use std::fs;

/// Settings that hold on every machine. What is not here keeps PostgreSQL's default, above all `fsync`,
/// `full_page_writes` and `synchronous_commit`, which are on: what was accepted is kept.
const FIXED: [&str; 16] = [
    "listen_addresses=",
    "max_connections=200",
    // A checkpoint every few seconds under load would write each page in full again and again; a much larger log would
    // take long to replay after a crash.
    "max_wal_size=2GB",
    "min_wal_size=256MB",
    "wal_compression=on",
    "wal_buffers=16MB",
    // Every disk of today reads anywhere at about the same cost.
    "random_page_cost=1.1",
    // Compiling a plan costs more than our statements take; helpers of a statement would take what other statements need.
    "jit=off",
    "max_parallel_workers_per_gather=0",
    // The queue's rows live for milliseconds: sweep often, and without long pauses.
    "autovacuum_naptime=10s",
    "autovacuum_vacuum_cost_limit=2000",
    "log_line_prefix=%m [%p] %a ",
    "log_checkpoints=off",
    "log_timezone=UTC",
    // The details of an error have values of the row in them, such as somebody's address.
    "log_error_verbosity=terse",
    "timezone=UTC",
];

/// The share of the memory that PostgreSQL keeps pages in, as a divisor, and its bounds in MB.
const SHARE: u64 = 8;
const SHARED_BUFFERS_MB_MIN: u64 = 64;
const SHARED_BUFFERS_MB_MAX: u64 = 2048;

/// All settings, each as `name=value`.
pub fn settings() -> Vec<String> {
    let memory_mb = memory_mb().unwrap_or(2048);
    let shared_mb = (memory_mb / SHARE).clamp(SHARED_BUFFERS_MB_MIN, SHARED_BUFFERS_MB_MAX);
    let mut settings: Vec<String> = FIXED.map(str::to_owned).into();
    settings.push(format!("shared_buffers={shared_mb}MB"));
    settings.push(format!("effective_cache_size={}MB", (memory_mb / 2).max(shared_mb)));
    if cfg!(target_os = "linux") {
        // Recovery begins with a flush of the whole data folder: in one system call instead of one for each file.
        settings.push("recovery_init_sync_method=syncfs".to_owned());
    }
    settings
}

/// The memory of this machine.
fn memory_mb() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    Some(total.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? / 1024)
}
