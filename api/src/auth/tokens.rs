//! Remembers verified tokens, so that a busy caller costs one look-up a minute and not one a request.
//!
//! While the process hears of revocations ([`super::revocations`]), a token is taken for up to [`HEARING`] without a look-up, and
//! forgotten as soon as a right of its user is taken away. While it does not, as when the database restarts, a revoked token works for
//! up to [`DEAF`] longer. Refused tokens are not remembered: a mistyped one is told by its checksum without a look-up.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use domain::access::{self, Authenticated, token::Token};
use domain::{Credential, Principal, UserId};
use sqlx::PgPool;
use tokio::sync::broadcast;

use super::CACHE_REQUESTS;
use super::key_use::KeyUse;
use super::revocations;

/// For how long a token is taken: all do in the first time, and in the rest all but the one request that looks it up again.
struct Trust {
    fresh: Duration,
    valid: Duration,
}

/// While revocations are heard.
const HEARING: Trust = Trust { fresh: Duration::from_secs(55), valid: Duration::from_secs(60) };

/// While they may be missed.
const DEAF: Trust = Trust { fresh: Duration::from_secs(1), valid: Duration::from_secs(2) };

/// When the younger half holds so many, it becomes the older one, and what was the older one is forgotten.
const HALF_MAX: usize = 10_000;

struct Entry {
    principal: Principal,
    verified_at: Instant,
    /// From when on the credential itself is no longer good.
    ends_at: Option<Instant>,
    /// Set by the one request that looks it up again.
    is_renewing: AtomicBool,
}

/// The tokens verified lately, by their hash, in two halves.
#[derive(Default)]
struct Remembered {
    young: HashMap<[u8; 32], Entry>,
    old: HashMap<[u8; 32], Entry>,
    /// Until when it is sure that every revocation so far was heard.
    hears_until: Option<Instant>,
    /// How often something was forgotten: what was looked up before such a moment may be wrong after it.
    forgotten: u64,
}

/// Whose rights were taken away, for those who asked whom they serve only once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    /// This user's.
    Of(UserId),
    /// Anybody's may have been.
    Any,
}

/// So many may be behind before whoever listens has to take it that anybody's were.
const LOST_BEHIND_MAX: usize = 256;

/// The tokens verified lately.
pub(crate) struct Tokens {
    remembered: RwLock<Remembered>,
    key_use: KeyUse,
    lost: broadcast::Sender<Lost>,
}

impl Tokens {
    /// Begins with none, and starts the tasks that hear of revocations and note the use of keys; they end when the value is dropped.
    pub(crate) fn spawn(pool: &PgPool) -> Arc<Tokens> {
        let (key_use, lost) = (KeyUse::spawn(pool.clone()), broadcast::Sender::new(LOST_BEHIND_MAX));
        let tokens = Arc::new(Tokens { remembered: RwLock::default(), key_use, lost });
        revocations::spawn(pool, Arc::downgrade(&tokens));
        tokens
    }

    /// Whom the token stands for.
    pub(crate) async fn principal(&self, pool: &PgPool, token: Token) -> sqlx::Result<Option<Principal>> {
        let hash = token.hash();
        let (found, forgotten) = self.read(|remembered| (remembered.get(&hash, Instant::now()), remembered.forgotten));
        let outcome = if found.is_some() { "hit" } else { "miss" };
        metrics::counter!(CACHE_REQUESTS.name, "cache" => "session", "outcome" => outcome).increment(1);
        if found.is_some() {
            return Ok(found);
        }
        let mut connection = pool.acquire().await?;
        let asked_at = Instant::now();
        let found = access::authenticate(&mut connection, token.reveal()).await?;
        drop(connection);
        self.write(|remembered| remembered.put(hash, found, forgotten, asked_at));
        let principal = found.map(|found| found.principal);
        if let Some(Principal { credential: Credential::ApiKey(id), book, .. }) = principal {
            self.key_use.note(book.shard, id);
        }
        Ok(principal)
    }

    /// Forgets the tokens of a user, one of whose rights was taken away: at once where that was done, and everywhere once it is
    /// heard of.
    pub(crate) fn forget(&self, user: UserId) {
        self.write(|remembered| remembered.forget(|principal| principal.user_id == user));
        self.tell(Lost::Of(user));
    }

    /// Forgets all of them, as revocations may have been missed.
    pub(super) fn forget_all(&self) {
        self.write(|remembered| remembered.forget(|_| true));
        self.tell(Lost::Any);
    }

    /// Every revocation that was committed before this moment was heard, and so it will be until then.
    pub(super) fn hears_until(&self, until: Option<Instant>) {
        self.write(|remembered| remembered.hears_until = until);
    }

    /// Tells from now on whose rights were taken away, after their tokens were forgotten.
    pub(crate) fn lost(&self) -> broadcast::Receiver<Lost> {
        self.lost.subscribe()
    }

    /// Whether revocations are heard at the moment.
    pub(crate) fn hears(&self) -> bool {
        self.read(|remembered| remembered.hears_until).is_some_and(|until| Instant::now() < until)
    }

    fn tell(&self, lost: Lost) {
        // Nobody may be listening.
        let _ = self.lost.send(lost);
    }

    fn read<T>(&self, with: impl FnOnce(&Remembered) -> T) -> T {
        with(&self.remembered.read().expect("nobody panics while holding the lock"))
    }

    fn write<T>(&self, with: impl FnOnce(&mut Remembered) -> T) -> T {
        with(&mut self.remembered.write().expect("nobody panics while holding the lock"))
    }
}

impl Remembered {
    fn get(&self, hash: &[u8; 32], now: Instant) -> Option<Principal> {
        let entry = self.young.get(hash).or_else(|| self.old.get(hash))?;
        let trust = if self.hears_until.is_some_and(|until| now < until) { HEARING } else { DEAF };
        let age = now.duration_since(entry.verified_at);
        let is_usable = age < trust.fresh || (age < trust.valid && entry.is_renewing.swap(true, Ordering::Relaxed));
        let is_good = entry.ends_at.is_none_or(|end| now < end);
        (is_usable && is_good).then_some(entry.principal)
    }

    /// Remembers what a look-up found that began at `asked_at`, when so much had been forgotten.
    fn put(&mut self, hash: [u8; 32], found: Option<Authenticated>, forgotten: u64, asked_at: Instant) {
        self.young.remove(&hash);
        self.old.remove(&hash);
        let Some(Authenticated { principal, good_for }) = found.filter(|_| forgotten == self.forgotten) else {
            return;
        };
        if self.young.len() >= HALF_MAX {
            self.old = std::mem::take(&mut self.young);
        }
        let ends_at = good_for.map(|left| asked_at + left);
        let entry = Entry { principal, verified_at: asked_at, ends_at, is_renewing: AtomicBool::new(false) };
        self.young.insert(hash, entry);
    }

    fn forget(&mut self, is_meant: impl Fn(&Principal) -> bool) {
        self.forgotten += 1;
        self.young.retain(|_, entry| !is_meant(&entry.principal));
        self.old.retain(|_, entry| !is_meant(&entry.principal));
    }
}

#[cfg(test)]
mod tests {
    use domain::Role;
    use ledger::Book;

    use super::*;

    fn found() -> Option<Authenticated> {
        Some(Authenticated { principal: Principal::of(UserId::new(), Role::User, Book::MAIN), good_for: None })
    }

    #[test]
    fn one_request_renews_while_the_others_go_on_and_then_it_is_over() {
        let (mut remembered, start) = (Remembered::default(), Instant::now());
        remembered.put([1; 32], found(), 0, start);
        let taken_after = |millis| remembered.get(&[1; 32], start + Duration::from_millis(millis)).is_some();
        assert!(taken_after(999));
        assert!(!taken_after(1_001), "the first to find it stale looks it up");
        assert!(taken_after(1_002), "the others do not wait for that");
        assert!(!taken_after(2_000), "too old for anybody");
        remembered.put([1; 32], None, 0, start);
        assert!(remembered.get(&[1; 32], start).is_none(), "a refused token is forgotten");
    }

    #[test]
    fn a_token_is_taken_for_longer_only_while_revocations_are_heard() {
        let (mut remembered, start) = (Remembered::default(), Instant::now());
        remembered.put([1; 32], found(), 0, start);
        let after = |seconds| start + Duration::from_secs(seconds);
        remembered.hears_until = Some(after(40));
        assert!(remembered.get(&[1; 32], after(39)).is_some());
        assert!(remembered.get(&[1; 32], after(41)).is_none(), "nobody knows what was revoked since");
        remembered.hears_until = Some(after(100));
        assert!(remembered.get(&[1; 32], after(61)).is_none());
        let soon = found().map(|found| Authenticated { good_for: Some(Duration::from_secs(5)), ..found });
        remembered.put([2; 32], soon, 0, start);
        assert!(remembered.get(&[2; 32], after(6)).is_none(), "its own end counts as well");
    }

    #[test]
    fn what_was_looked_up_before_a_revocation_is_not_remembered_after_it() {
        let (mut remembered, start) = (Remembered::default(), Instant::now());
        let (one, other) = (found(), found());
        let before = remembered.forgotten;
        remembered.put([1; 32], one, before, start);
        remembered.put([2; 32], other, before, start);
        let user = one.unwrap().principal.user_id;
        remembered.forget(|principal| principal.user_id == user);
        assert!(remembered.get(&[1; 32], start).is_none() && remembered.get(&[2; 32], start).is_some());
        remembered.put([1; 32], one, before, start);
        assert!(remembered.get(&[1; 32], start).is_none(), "that answer was on its way when the revocation came");
    }

    #[test]
    fn it_remembers_no_more_than_two_halves() {
        let (mut remembered, start) = (Remembered::default(), Instant::now());
        for number in 0..3 * HALF_MAX {
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&number.to_be_bytes());
            remembered.put(hash, found(), 0, start);
        }
        assert!(remembered.young.len() + remembered.old.len() <= 2 * HALF_MAX);
    }
}
