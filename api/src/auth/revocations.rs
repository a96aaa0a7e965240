//! Hears of rights that were taken away, in whichever process: one connection that listens.
//!
//! Whoever takes a right away notifies in the same commit (`domain::access::revoked`). Silence could mean that nothing was revoked or
//! that nothing arrives any more, so the connection sends itself a beat every [`BEAT`] and trusts what is remembered only for [`HEARS`]
//! after a beat that came back: a connection that is dead, or one through a pooler that does not keep it, is found out.

use std::sync::Weak;
use std::time::{Duration, Instant};

use domain::UserId;
use domain::access::REVOKED_CHANNEL;
use sqlx::PgPool;
use sqlx::postgres::{PgListener, PgNotification};
use uuid::Uuid;

use super::Tokens;

/// The time between two beats.
const BEAT: Duration = Duration::from_secs(2);

/// For so long after it was sent a beat that came back tells that revocations are heard.
const HEARS: Duration = Duration::from_secs(5);

/// The pause before connecting again.
const PAUSE: Duration = Duration::from_millis(250);

/// Starts the task; it ends when nobody holds the tokens any more.
pub(super) fn spawn(pool: &PgPool, tokens: Weak<Tokens>) {
    let options = pool.connect_options().as_ref().clone().application_name("bitnexus api listen");
    // Apart from the pool of the requests, which may all be in use.
    let own = queue::pool_options().max_connections(1).acquire_timeout(HEARS).connect_lazy_with(options);
    tokio::spawn(async move {
        while tokens.strong_count() > 0 {
            if let Err(error) = follow(&own, &tokens).await {
                tracing::debug!(%error, "revocations are not heard; tokens are looked up each second or two");
            }
            if let Some(tokens) = tokens.upgrade() {
                tokens.hears_until(None);
            }
            tokio::time::sleep(PAUSE).await;
        }
    });
}

/// Listens until the connection is lost, or nobody holds the tokens any more.
async fn follow(own: &PgPool, tokens: &Weak<Tokens>) -> sqlx::Result<()> {
    let mut listener = PgListener::connect_with(own).await?;
    let beat = format!("access_beat_{}", Uuid::new_v4().simple());
    listener.listen_all([REVOKED_CHANNEL, &beat]).await?;
    // What was revoked before was not heard.
    let Some(()) = tokens.upgrade().map(|tokens| tokens.forget_all()) else { return Ok(()) };
    loop {
        let sent_at = Instant::now();
        let sent = sqlx::query("select pg_notify($1, '')").bind(&beat).execute(&mut listener);
        tokio::time::timeout(HEARS, sent).await.map_err(|_| sqlx::Error::PoolTimedOut)??;
        while let Ok(heard) = tokio::time::timeout_at((sent_at + BEAT).into(), listener.try_recv()).await {
            let heard = heard?.ok_or(sqlx::Error::WorkerCrashed)?;
            let Some(tokens) = tokens.upgrade() else { return Ok(()) };
            take(&tokens, &heard, sent_at);
        }
        if tokens.strong_count() == 0 {
            return Ok(());
        }
    }
}

/// Acts on what was heard; `sent_at` is when the last beat was sent.
fn take(tokens: &Tokens, heard: &PgNotification, sent_at: Instant) {
    if heard.channel() != REVOKED_CHANNEL {
        tokens.hears_until(Some(sent_at + HEARS));
    } else if let Ok(user) = heard.payload().parse::<Uuid>() {
        tokens.forget(UserId(user));
    } else {
        tokens.forget_all();
    }
}
