//! Who is connected to this process, by WebSocket or by long polls: how many, whose, and saying goodbye to them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use domain::UserId;
use tokio::sync::watch;

use super::limits::SocketLimits;
use super::members::SocketId;
use super::metrics;
use super::outbox::{Goodbye, Outbox};

/// When all are to look whether they may still be here, so many look at once.
const CHECKS_AT_ONCE: usize = 200;

/// The pause between two such groups.
const CHECK_PAUSE: Duration = Duration::from_millis(100);

/// Those who are connected.
#[derive(Debug)]
pub(super) struct Sockets {
    open: Mutex<Open>,
    /// How many there are.
    count: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Open {
    last_id: SocketId,
    sockets: HashMap<SocketId, (UserId, Arc<Outbox>)>,
    of_user: HashMap<UserId, usize>,
    is_draining: bool,
}

/// Why nobody more is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// There are too many clients, or the process stops.
    Here,
    /// The user has too many.
    User,
}

/// A connected client; it is none any more when the value is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) id: SocketId,
    pub(super) outbox: Arc<Outbox>,
    user: UserId,
    sockets: Arc<Sockets>,
}

impl Sockets {
    pub(super) fn new() -> Arc<Sockets> {
        Arc::new(Sockets { open: Mutex::default(), count: watch::Sender::new(0) })
    }

    /// Lets a client in.
    pub(super) fn enter(self: &Arc<Self>, user: UserId, limits: &SocketLimits) -> Result<Seat, Full> {
        let mut open = self.open();
        if open.is_draining || open.sockets.len() >= limits.sockets_max {
            return Err(Full::Here);
        }
        let of_user = open.of_user.entry(user).or_default();
        if *of_user >= limits.sockets_per_user_max {
            return Err(Full::User);
        }
        *of_user += 1;
        open.last_id += 1;
        let (id, outbox) = (open.last_id, Arc::<Outbox>::default());
        open.sockets.insert(id, (user, outbox.clone()));
        self.counted(&open);
        Ok(Seat { id, outbox, user, sockets: self.clone() })
    }

    /// Has the clients of a user look whether they may still be here.
    pub(super) fn check(&self, user: UserId) {
        let open = self.open();
        open.sockets.values().filter(|(owner, _)| *owner == user).for_each(|(_, outbox)| outbox.check_access());
    }

    /// Has all of them look, a few at a time.
    pub(super) async fn check_all(&self) {
        let all: Vec<Arc<Outbox>> = self.open().sockets.values().map(|(_, outbox)| outbox.clone()).collect();
        for some in all.chunks(CHECKS_AT_ONCE) {
            some.iter().for_each(|outbox| outbox.check_access());
            tokio::time::sleep(CHECK_PAUSE).await;
        }
    }

    /// Tells all of them that events were lost.
    pub(super) fn break_channels(&self) {
        self.open().sockets.values().for_each(|(_, outbox)| outbox.break_channels());
    }

    /// Lets nobody in any more, and says goodbye to all.
    pub(super) fn drain(&self) {
        let mut open = self.open();
        open.is_draining = true;
        open.sockets.values().for_each(|(_, outbox)| outbox.close(Goodbye::Restart));
    }

    /// Returns when nobody is connected any more.
    pub(super) async fn emptied(&self) {
        // The sender is ours: it cannot be gone.
        let _ = self.count.subscribe().wait_for(|count| *count == 0).await;
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().expect("nobody panics while holding the lock")
    }

    fn counted(&self, open: &Open) {
        self.count.send_replace(open.sockets.len());
        metrics::sockets(open.sockets.len());
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut open = self.sockets.open();
        open.sockets.remove(&self.id);
        if let Some(count) = open.of_user.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                open.of_user.remove(&self.user);
            }
        }
        self.sockets.counted(&open);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn so_many_are_let_in_and_each_place_is_given_back() {
        let sockets = Sockets::new();
        let limits = SocketLimits { sockets_max: 3, sockets_per_user_max: 2, ..SocketLimits::default() };
        let (ada, bob) = (UserId::new(), UserId::new());
        let enter = |user| sockets.enter(user, &limits);
        let (first, _second) = (enter(ada).unwrap(), enter(ada).unwrap());
        assert_eq!(enter(ada).unwrap_err(), Full::User);
        let third = enter(bob).unwrap();
        assert_eq!(enter(bob).unwrap_err(), Full::Here);
        drop(first);
        let fourth = enter(ada).unwrap();
        sockets.drain();
        assert_eq!(fourth.outbox.has_goodbye(), Some(Goodbye::Restart));
        drop((third, fourth, _second));
        assert_eq!(enter(bob).unwrap_err(), Full::Here, "it stops");
        sockets.emptied().await;
    }
}
