//! What waits to be sent to one client. It is bounded, and whoever puts something in never waits: when it is full, the client is too
//! slow and loses its connection, because everything that follows would come too late.

use std::collections::VecDeque;
use std::sync::Mutex;

use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

/// So many frames may wait for one client.
pub(super) const FRAMES_MAX: usize = 2_048;

/// So many bytes may wait for one client; a single frame may have more.
const BYTES_MAX: usize = 1024 * 1024;

/// Room for so many is kept when nothing waits.
const KEPT: usize = 16;

/// Why a client's connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Goodbye {
    /// The process stops: another one is there.
    Restart,
    /// The token is no longer good, or its user may something else by now.
    Access,
    /// Nothing was heard of the client.
    Idle,
    /// It does not read what it is sent.
    Slow,
    /// It sent what is no frame.
    Malformed(&'static str),
    /// It sent a frame that is too long.
    TooLong,
}

impl Goodbye {
    /// The code and the reason of the close frame.
    pub(super) fn frame(self) -> (CloseCode, &'static str) {
        match self {
            Goodbye::Restart => (CloseCode::Restart, "the service restarts"),
            Goodbye::Access => (CloseCode::Away, "the token is no longer good for this"),
            Goodbye::Idle => (CloseCode::Away, "nothing was heard for too long"),
            Goodbye::Slow => (CloseCode::Policy, "too slow"),
            Goodbye::Malformed(why) => (CloseCode::Invalid, why),
            Goodbye::TooLong => (CloseCode::Size, "the frame is too long"),
        }
    }

    /// What it is called in the metrics.
    pub(super) fn label(self) -> &'static str {
        match self {
            Goodbye::Restart => "restart",
            Goodbye::Access => "access",
            Goodbye::Idle => "idle",
            Goodbye::Slow => "slow",
            Goodbye::Malformed(_) => "malformed",
            Goodbye::TooLong => "too_long",
        }
    }
}

/// What there is to do for the client.
#[derive(Debug)]
pub(super) enum Next {
    Frame(Frame),
    /// See whether its token is still good.
    CheckAccess,
    /// What its channels follow was lost: they are to be joined again.
    Broken,
    Goodbye(Goodbye),
}

/// The queue.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    waiting: Mutex<Waiting>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    frames: VecDeque<Frame>,
    bytes: usize,
    must_check: bool,
    is_broken: bool,
    goodbye: Option<Goodbye>,
}

impl Outbox {
    /// Puts a frame in. Returns at once.
    pub(super) fn push(&self, frame: Frame) {
        self.change(|waiting| waiting.push(frame));
    }

    /// Puts several in at once, one after the other.
    pub(super) fn push_all(&self, frames: impl IntoIterator<Item = Frame>) {
        self.change(|waiting| frames.into_iter().for_each(|frame| waiting.push(frame)));
    }

    /// Closes the connection; what waits is not sent any more. The first reason stands.
    pub(super) fn close(&self, goodbye: Goodbye) {
        self.change(|waiting| waiting.close(goodbye));
    }

    /// Has the token looked up again.
    pub(super) fn check_access(&self) {
        self.change(|waiting| waiting.must_check = true);
    }

    /// Says that events were lost.
    pub(super) fn break_channels(&self) {
        self.change(|waiting| waiting.is_broken = true);
    }

    /// What is to be done next, as soon as there is something.
    pub(super) async fn next(&self) -> Next {
        loop {
            if let Some(next) = self.try_next() {
                return next;
            }
            self.wake.notified().await;
        }
    }

    /// What is to be done next, if there is something.
    pub(super) fn try_next(&self) -> Option<Next> {
        let mut waiting = self.waiting.lock().expect("nobody panics while holding the lock");
        if let Some(goodbye) = waiting.goodbye {
            return Some(Next::Goodbye(goodbye));
        }
        if std::mem::take(&mut waiting.must_check) {
            return Some(Next::CheckAccess);
        }
        if std::mem::take(&mut waiting.is_broken) {
            return Some(Next::Broken);
        }
        waiting.pop().map(Next::Frame)
    }

    /// The next frame, if nothing else is to be done before it.
    pub(super) fn try_frame(&self) -> Option<Frame> {
        let mut waiting = self.waiting.lock().expect("nobody panics while holding the lock");
        let is_first = waiting.goodbye.is_none() && !waiting.must_check && !waiting.is_broken;
        if is_first { waiting.pop() } else { None }
    }

    /// Resolves when the connection is to be closed, also while something is being sent.
    pub(super) async fn goodbye(&self) -> Goodbye {
        loop {
            if let Some(goodbye) = self.has_goodbye() {
                return goodbye;
            }
            self.wake.notified().await;
        }
    }

    /// Why the connection is to be closed, if it is.
    pub(super) fn has_goodbye(&self) -> Option<Goodbye> {
        self.waiting.lock().expect("nobody panics while holding the lock").goodbye
    }

    fn change(&self, with: impl FnOnce(&mut Waiting)) {
        with(&mut self.waiting.lock().expect("nobody panics while holding the lock"));
        self.wake.notify_one();
    }
}

impl Waiting {
    fn push(&mut self, frame: Frame) {
        if self.goodbye.is_some() {
            return;
        }
        if self.frames.len() >= FRAMES_MAX || (self.bytes > 0 && self.bytes + frame.len() > BYTES_MAX) {
            self.close(Goodbye::Slow);
            return;
        }
        self.bytes += frame.len();
        self.frames.push_back(frame);
    }

    fn pop(&mut self) -> Option<Frame> {
        let frame = self.frames.pop_front()?;
        self.bytes -= frame.len();
        if self.frames.is_empty() && self.frames.capacity() > KEPT {
            // Whoever was told a lot is idle now, like thousands of others.
            self.frames = VecDeque::new();
        }
        Some(frame)
    }

    fn close(&mut self, goodbye: Goodbye) {
        self.goodbye.get_or_insert(goodbye);
        (self.frames, self.bytes) = (VecDeque::new(), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_one_says_goodbye_and_holds_nothing_back() {
        let outbox = Outbox::default();
        for _ in 0..=FRAMES_MAX {
            outbox.push(Frame::text("x"));
        }
        assert!(matches!(outbox.try_next(), Some(Next::Goodbye(Goodbye::Slow))));
        let outbox = Outbox::default();
        outbox.push(Frame::text("x".repeat(2 * BYTES_MAX)));
        assert!(matches!(outbox.try_next(), Some(Next::Frame(_))), "one may be long");
        outbox.push_all([Frame::text("x".repeat(BYTES_MAX)), Frame::text("y")]);
        assert!(matches!(outbox.try_next(), Some(Next::Goodbye(Goodbye::Slow))));
        outbox.close(Goodbye::Restart);
        assert_eq!(outbox.has_goodbye(), Some(Goodbye::Slow), "the first reason stands");
    }

    #[tokio::test]
    async fn what_waits_is_found_and_what_comes_wakes() {
        let outbox = std::sync::Arc::new(Outbox::default());
        outbox.push(Frame::text("a"));
        outbox.check_access();
        assert!(matches!(outbox.next().await, Next::CheckAccess));
        assert!(matches!(outbox.next().await, Next::Frame(frame) if frame == Frame::text("a")));
        let waiter = tokio::spawn({
            let outbox = outbox.clone();
            async move { outbox.goodbye().await }
        });
        outbox.push(Frame::text("b"));
        outbox.close(Goodbye::Idle);
        assert_eq!(waiter.await.unwrap(), Goodbye::Idle);
    }
}
