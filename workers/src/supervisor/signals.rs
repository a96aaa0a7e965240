//! What a process is asked by signals: to end, and, of a pool, to change.

use std::io;

use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::lifeline::{self, Answers};

/// A token that is cancelled when this process is to end in order, whoever asks for it: SIGTERM, SIGINT (Ctrl-C), or
/// the end of the supervisor above. That supervisor is told `metrics` when it asks. To be called once, inside a runtime.
///
/// # Errors
/// When the signal handlers cannot be set.
pub fn shutdown(metrics: impl Fn() -> String + Send + 'static) -> io::Result<CancellationToken> {
    shutdown_and_answer(Answers::ready(metrics))
}

/// The same for a process that is not at work from its start on.
///
/// # Errors
/// As [`shutdown`].
pub fn shutdown_and_answer(answers: Answers) -> io::Result<CancellationToken> {
    let token = CancellationToken::new();
    lifeline::watch(token.clone(), answers)?;
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

/// What an operator asks of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// One process more: SIGTTIN.
    More,
    /// One process less: SIGTTOU.
    Less,
    /// A new process in the place of each: SIGHUP or SIGUSR2.
    Roll,
}

/// The orders to come. To be called once, inside a runtime.
///
/// # Errors
/// When the signal handlers cannot be set.
pub fn orders() -> io::Result<mpsc::UnboundedReceiver<Order>> {
    let (sender, orders) = mpsc::unbounded_channel();
    let meanings = [
        (Signal::TTIN, Order::More),
        (Signal::TTOU, Order::Less),
        (Signal::HUP, Order::Roll),
        (Signal::USR2, Order::Roll),
    ];
    for (number, order) in meanings {
        let mut signals = signal(SignalKind::from_raw(number.as_raw()))?;
        let sender = sender.clone();
        tokio::spawn(async move { while signals.recv().await.is_some() && sender.send(order).is_ok() {} });
    }
    Ok(orders)
}
