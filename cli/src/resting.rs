//! Gives back pages of the program itself that a process no longer uses.
//!
//! Much of a program runs once, while it starts: arguments are parsed, the API is described. The kernel leaves such pages mapped, and counts
//! them as the process's memory for ever: about half of what a worker process at rest has. What is still needed comes back by itself, from
//! the file that the kernel has in its memory anyway.

use std::io;
use std::path::Path;
use std::time::Duration;

use queue::metrics::process;
use rustix::mm::{Advice, madvise};
use tokio::time::sleep;

/// By then a process has started.
const STARTING: Duration = Duration::from_secs(2);
/// How often it is looked whether it is at rest.
const GAP: Duration = Duration::from_secs(60);
/// Who uses less than this part of a processor is at rest.
const AT_REST: f64 = 0.02;

/// Gives pages back once after the start, and then after each minute in which the process was at rest. Runs until it is dropped.
pub(crate) async fn keep_small() {
    sleep(STARTING).await;
    loop {
        if let Err(error) = give_back() {
            tracing::debug!(%error, "pages of the program stay in memory");
            return;
        }
        while !has_rested(GAP).await {}
    }
}

/// Waits for this time, and says whether the process was at rest meanwhile.
async fn has_rested(time: Duration) -> bool {
    let used_s = || process::usage(std::process::id()).map_or(f64::INFINITY, |usage| usage.cpu_s);
    let before_s = used_s();
    sleep(time).await;
    used_s() - before_s < AT_REST * time.as_secs_f64()
}

/// Unmaps the code of this program and its constants; each page is mapped again when it is needed.
fn give_back() -> io::Result<()> {
    let maps = std::fs::read_to_string("/proc/self/maps")?;
    for (begin, end) in unwritten(&maps, &std::fs::read_link("/proc/self/exe")?) {
        let pages = std::ptr::with_exposed_provenance_mut(begin);
        #[expect(unsafe_code, reason = "the standard library does not offer this advice")]
        // SAFETY: these pages are mapped from the program's file and cannot be written, nor were they while it was loaded. After this advice
        // the kernel reads them from that file when they are next touched (madvise(2)). Only a debugger can tell, whose breakpoints go.
        unsafe { madvise(pages, end - begin, Advice::LinuxDontNeed) }?;
    }
    Ok(())
}

/// Where that of the program is mapped which nobody ever writes, by the lines of `/proc/self/maps`: addresses, rights, offset, device, inode
/// and path. That is its code, and where its file begins; what was relocated while it was loaded can only be read by now, too, but lies
/// behind both.
fn unwritten(maps: &str, program: &Path) -> Vec<(usize, usize)> {
    let program = program.to_string_lossy();
    let of_line = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let (begin, end) = words.next()?.split_once('-')?;
        let is_unwritten = matches!((words.next()?, words.next()?), ("r-xp", _) | ("r--p", "00000000"));
        // A path may have spaces in it, and is the rest of the line.
        let is_program = line.split_once('/').is_some_and(|(_, path)| program.strip_prefix('/') == Some(path));
        let address = |text| usize::from_str_radix(text, 16).ok();
        Some((address(begin)?, address(end)?)).filter(|_| is_unwritten && is_program)
    };
    maps.lines().filter_map(of_line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_writes_is_found() {
        let maps = "\
55d17f182000-55d17ffd3000 r--p 00000000 fe:00 10010931                   /opt/a b/bitnexus
55d17ffd3000-55d182002000 r-xp 00e50000 fe:00 10010931                   /opt/a b/bitnexus
55d182002000-55d182216000 r--p 02e7e000 fe:00 10010931                   /opt/a b/bitnexus
55d182216000-55d18221f000 rw-p 03091000 fe:00 10010931                   /opt/a b/bitnexus
7fe02af8d000-7fe02afb5000 r--p 00000000 fe:00 20010931                   /usr/lib/libc.so.6
7fe02afb5000-7fe02b0b5000 r-xp 00028000 fe:00 20010931                   /usr/lib/libc.so.6
7ffd1b7ea000-7ffd1b7ec000 r-xp 00000000 00:00 0                          [vdso]
7fe02b2e0000-7fe02b2e1000 rw-p 00000000 00:00 0
";
        let of_program = [(0x55d1_7f18_2000, 0x55d1_7ffd_3000), (0x55d1_7ffd_3000, 0x55d1_8200_2000)];
        assert_eq!(unwritten(maps, Path::new("/opt/a b/bitnexus")), of_program);
        assert_eq!(unwritten(maps, Path::new("/bitnexus")), []);
    }

    #[test]
    fn a_program_that_gave_its_code_back_goes_on() {
        let resident = || process::usage(std::process::id()).unwrap().memory_bytes;
        let before = resident();
        give_back().unwrap();
        let after = resident();
        assert!(after < before, "{after} bytes of {before} are left");
        give_back().unwrap();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn who_computes_does_not_rest() {
        let computing = tokio::task::spawn_blocking(|| {
            let began = std::time::Instant::now();
            while began.elapsed() < Duration::from_secs(2) {
                std::hint::spin_loop();
            }
        });
        assert!(!has_rested(Duration::from_secs(1)).await);
        computing.await.unwrap();
    }
}
