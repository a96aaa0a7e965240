//! What systemd is told of the role, where it runs it as `Type=notify` or `notify-reload` (sd_notify(3)).

use std::time::Duration;

use sd_notify::NotifyState;

/// By how much the time to start is extended at each tick while the processes are not at work yet: a database that is
/// away must not have the role killed.
const EXTENSION: Duration = Duration::from_secs(10);

/// How often it is told how things stand, at least.
const GAP: Duration = Duration::from_millis(500);

/// The line to systemd.
#[derive(Debug)]
pub(super) struct Systemd {
    watchdog: Option<Duration>,
    is_ready: bool,
    status: String,
}

/// How the pool is, as systemd is to hear it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Health {
    /// Slots of the pool.
    pub(super) wanted: usize,
    /// Slots whose process is at work.
    pub(super) ready: usize,
    /// Whether every process that runs gives a sign of life, or is being dealt with.
    pub(super) is_well: bool,
}

impl Systemd {
    /// The line, if systemd gave one.
    pub(super) fn from_env() -> Option<Systemd> {
        std::env::var_os("NOTIFY_SOCKET")?;
        Some(Systemd { watchdog: sd_notify::watchdog_enabled(), is_ready: false, status: String::new() })
    }

    /// How often to [`tell`](Systemd::tell): at least twice in the time of the watchdog.
    pub(super) fn gap(&self) -> Duration {
        self.watchdog.map_or(GAP, |watchdog| GAP.min(watchdog / 3))
    }

    /// Tells how things stand. The watchdog hears of it only while all is well.
    pub(super) fn tell(&mut self, health: Health) {
        let Health { wanted, ready, is_well } = health;
        if !self.is_ready {
            if ready >= wanted {
                self.is_ready = true;
                notify(&[NotifyState::Ready]);
            } else {
                notify(&[NotifyState::ExtendTimeoutUsec(EXTENSION.as_micros() as u32)]);
            }
        }
        let status = format!("{ready} of {wanted} worker processes at work");
        if status != self.status {
            notify(&[NotifyState::Status(&status)]);
            self.status = status;
        }
        if is_well && self.watchdog.is_some() {
            notify(&[NotifyState::Watchdog]);
        }
    }

    /// Tells that a rolling restart begins.
    pub(super) fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => notify(&[NotifyState::Reloading, now]),
            Err(error) => tracing::warn!(%error, "reading the clock for systemd"),
        }
    }

    /// Tells that it has ended, whichever way.
    pub(super) fn reloaded(&self) {
        notify(&[NotifyState::Ready]);
    }

    /// Tells that the role is stopping.
    pub(super) fn stopping(&self) {
        notify(&[NotifyState::Stopping]);
    }
}

/// Who does not hear it goes by what the process does.
fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "systemd was not told");
    }
}
