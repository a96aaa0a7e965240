//! How much memory a process has, as the kernel shows it.

use std::fs;

/// What a process has resident, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Resident {
    /// Now.
    pub(super) now: u64,
    /// The most that it ever had.
    pub(super) max: u64,
}

impl Resident {
    /// That of the process; none when it has gone, or on a system without `/proc`.
    pub(super) fn of(pid: u32) -> Option<Resident> {
        parse(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?)
    }
}

fn parse(status: &str) -> Option<Resident> {
    let bytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
    };
    Some(Resident { now: bytes("VmRSS:")?, max: bytes("VmHWM:")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_lines_are_read() {
        let status = "Name:\tbitnexus\nVmHWM:\t   20480 kB\nVmRSS:\t    1024 kB\nThreads:\t3\n";
        assert_eq!(parse(status), Some(Resident { now: 1 << 20, max: 20 << 20 }));
        assert_eq!(parse("Name:\tzombie\n"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_some() {
        let resident = Resident::of(std::process::id()).unwrap();
        assert!(resident.now > 1 << 20 && resident.max >= resident.now);
    }
}
