//! Phoenix Channels, serializer 2.0.0: clients of the Phoenix framework connect as they are, by WebSocket or by long polls.
//!
//! [`connect`] lets a client in by its token; [`socket`] and [`longpoll`] carry its frames ([`frame`]) to and fro; [`session`] knows what
//! it has joined; [`topics`] says what can be joined, by whom; [`members`] hands each event to those who joined its topic; [`presence`]
//! tells who else did. Nobody ever waits for a client: what it is sent goes through a bounded [`outbox`].
//!
//! Source of the protocol: phoenixframework/phoenix 1.8, `assets/js/phoenix`, `lib/phoenix/socket.ex` and
//! `lib/phoenix/transports`. docs/REALTIME.md is for those who write clients.

mod connect;
mod feed;
mod frame;
mod join;
mod limits;
mod longpoll;
mod members;
pub(crate) mod metrics;
mod outbox;
mod presence;
mod session;
mod socket;
mod sockets;
mod topics;

use std::sync::{Arc, Weak};
use std::time::Duration;

use domain::Principal;
use domain::access::token::Token;
use poem::Route;
use sqlx::PgPool;
use tokio::sync::broadcast::error::RecvError;

pub use limits::SocketLimits;
pub use topics::TopicMap;

use crate::auth::{Lost, Tokens};
use crate::realtime::Hub;
use crate::state::State;

/// The paths served here.
pub(crate) const PATHS: [&str; 2] = [socket::PATH, longpoll::PATH];

/// After the signal to stop, clients have so long to take leave.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// While revocations are heard, a token is looked up again so rarely.
const TRUST_HEARING: Duration = Duration::from_secs(300);

/// While they may be missed, so often.
const TRUST_DEAF: Duration = Duration::from_secs(15);

/// What all clients share.
pub(crate) struct Phoenix {
    limits: SocketLimits,
    pool: PgPool,
    tokens: Arc<Tokens>,
    sockets: Arc<sockets::Sockets>,
    members: members::Members,
    presence: presence::Presence,
    polls: longpoll::Polls,
    refusals: connect::Refusals,
    feed: feed::Feed,
}

impl Phoenix {
    /// Begins without clients, and starts the tasks that keep it up to date; they end when the value is dropped.
    pub(crate) fn spawn(pool: &PgPool, tokens: &Arc<Tokens>, hub: &Arc<Hub>, limits: SocketLimits) -> Arc<Phoenix> {
        let phoenix = Arc::new(Phoenix {
            limits,
            pool: pool.clone(),
            tokens: tokens.clone(),
            sockets: sockets::Sockets::new(),
            members: members::Members::default(),
            presence: presence::Presence::new(),
            polls: longpoll::Polls::default(),
            refusals: connect::Refusals::default(),
            feed: feed::Feed::new(hub),
        });
        tokio::spawn(revoke(Arc::downgrade(&phoenix)));
        tokio::spawn(presence::shared::run(Arc::downgrade(&phoenix)));
        tokio::spawn(longpoll::expire(Arc::downgrade(&phoenix)));
        phoenix
    }

    /// Says goodbye to every client with the code 1012, lets nobody in any more, and returns when all have gone, or after some seconds.
    pub(crate) async fn drain(&self) {
        self.sockets.drain();
        self.polls.end_all();
        if tokio::time::timeout(DRAIN_TIMEOUT, self.sockets.emptied()).await.is_err() {
            tracing::warn!("clients of channels were still connected when the time to drain was over");
        }
        if let Err(error) = presence::shared::leave(&self.presence, &self.pool).await {
            tracing::debug!(%error, "the others find out by themselves that this process is gone");
        }
    }

    /// Whom a token stands for.
    async fn principal(&self, token: &Token) -> sqlx::Result<Option<Principal>> {
        self.tokens.principal(&self.pool, token.clone()).await
    }

    /// For how long a token is taken as good without a look.
    fn access_trust(&self) -> Duration {
        if self.tokens.hears() { TRUST_HEARING } else { TRUST_DEAF }
    }
}

/// Has clients look whether they may still be here, when a right was taken away from their user.
async fn revoke(phoenix: Weak<Phoenix>) {
    let Some(mut lost) = phoenix.upgrade().map(|phoenix| phoenix.tokens.lost()) else { return };
    loop {
        let heard = lost.recv().await;
        let Some(sockets) = phoenix.upgrade().map(|phoenix| phoenix.sockets.clone()) else { return };
        match heard {
            Ok(Lost::Of(user)) => sockets.check(user),
            Ok(Lost::Any) | Err(RecvError::Lagged(_)) => sockets.check_all().await,
            Err(RecvError::Closed) => return,
        }
    }
}

/// Adds the channels to the routes.
pub(crate) fn routes(route: Route, state: &State) -> Route {
    route.at(socket::PATH, socket::endpoint(state)).at(longpoll::PATH, longpoll::endpoint(state))
}
