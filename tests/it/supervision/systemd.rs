//! What systemd hears of a pool, over a socket of the test's own.

use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::kit::{Bench, PATIENCE};

/// Where a pool's messages arrive.
struct Socket {
    _folder: tempfile::TempDir,
    socket: UnixDatagram,
}

impl Socket {
    /// Reads until a message has this line.
    async fn hear(&self, wanted: &str) {
        let mut heard = Vec::new();
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            if let Some(message) = self.next() {
                if message.lines().any(|line| line == wanted) {
                    return;
                }
                heard.push(message);
            } else {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        panic!("{wanted} was not heard, but {heard:?}");
    }

    fn next(&self) -> Option<String> {
        let mut bytes = [0; 4096];
        let length = self.socket.recv(&mut bytes).ok()?;
        Some(String::from_utf8(bytes[..length].to_vec()).unwrap())
    }
}

async fn pool_under_systemd(heartbeat_timeout: Option<Duration>) -> (Socket, Bench) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_nonblocking(true).unwrap();
    let environment = [("NOTIFY_SOCKET", path.into()), ("WATCHDOG_USEC", "2000000".into())];
    let configure = |settings: &mut super::program::Settings| {
        settings.processes = 2;
        settings.heartbeat_timeout = heartbeat_timeout;
    };
    let bench = Bench::start_any(configure, &environment).await;
    (Socket { _folder: folder, socket }, bench)
}

#[tokio::test(flavor = "multi_thread")]
async fn it_hears_of_the_start_of_reloads_and_of_the_end() {
    let (systemd, mut bench) = pool_under_systemd(None).await;
    systemd.hear("READY=1").await;
    systemd.hear("STATUS=2 of 2 worker processes at work").await;
    systemd.hear("WATCHDOG=1").await;
    bench.order(Signal::HUP);
    systemd.hear("RELOADING=1").await;
    systemd.hear("READY=1").await;
    bench.order(Signal::TTIN);
    systemd.hear("STATUS=3 of 3 worker processes at work").await;
    bench.running();
    bench.order(Signal::TERM);
    systemd.hear("STOPPING=1").await;
    assert_eq!(bench.ended().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_supervisor_does_not_feed_the_watchdog() {
    let (systemd, bench) = pool_under_systemd(Some(Duration::from_secs(4))).await;
    systemd.hear("WATCHDOG=1").await;
    bench.stop_supervisor();
    while systemd.next().is_some() {}
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(systemd.next(), None);
    bench.order(Signal::CONT);
    systemd.hear("WATCHDOG=1").await;
    // Its children were not silent meanwhile.
    assert!(!bench.log().contains("no sign of life"));
}
