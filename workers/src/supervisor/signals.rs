//! The request to end, whoever makes it: SIGTERM, SIGINT (Ctrl-C), or the end of the supervisor above.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::lifeline;

/// A token that is cancelled when this process is to end in order; a supervisor above is told `metrics` when it asks.
/// To be called once, inside a runtime.
///
/// # Errors
/// When the signal handlers cannot be set.
pub fn shutdown(metrics: impl Fn() -> String + Send + 'static) -> io::Result<CancellationToken> {
    let token = CancellationToken::new();
    lifeline::watch(token.clone(), metrics)?;
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let asked = token.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        asked.cancel();
    });
    Ok(token)
}
