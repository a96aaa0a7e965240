//! What systemd is told of a role of one process, where it runs it as `Type=notify` (sd_notify(3)).

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::interval;
use tokio_util::sync::CancellationToken;

/// Without a watchdog nothing has to be told again.
const NEVER: Duration = Duration::from_secs(24 * 3600);

/// Tells systemd that the role is ready, then, as often as the watchdog wants it, that it is alive, and at last that it
/// stops. Returns at once where there is no systemd. It runs beside the role's other tasks: when nothing gets a turn any
/// more, neither does this.
pub async fn keep_told(shutdown: CancellationToken) {
    if std::env::var_os("NOTIFY_SOCKET").is_none() {
        return;
    }
    tell(NotifyState::Ready);
    let mut ticks = interval(sd_notify::watchdog_enabled().map_or(NEVER, |watchdog| watchdog / 3));
    loop {
        tokio::select! {
            _ = ticks.tick() => tell(NotifyState::Watchdog),
            () = shutdown.cancelled() => return tell(NotifyState::Stopping),
        }
    }
}

fn tell(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "systemd was not told");
    }
}
