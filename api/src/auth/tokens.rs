//! Remembers verified tokens for a moment, so that a busy caller costs one look-up a second and not one a request.
//!
//! A revoked token therefore works for up to [`VALID`] longer. Refused tokens are not remembered: a mistyped one is told by
//! its checksum without a look-up.

use std::collections::HashMap;
use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use domain::Principal;
use domain::access::{self, token::Token};
use sqlx::PgPool;

/// For so long after it was verified a token is taken without a look-up.
const FRESH: Duration = Duration::from_secs(1);

/// For so long it is taken while one request looks it up again; beyond, everybody has to.
const VALID: Duration = Duration::from_secs(2);

/// When so many are remembered, those that are no longer valid are dropped; if that is not enough, all are.
const REMEMBERED_MAX: usize = 10_000;

struct Entry {
    principal: Principal,
    verified_at: Instant,
    /// Set by the one request that looks it up again.
    is_renewing: AtomicBool,
}

/// The tokens verified lately, by their hash.
#[derive(Default)]
pub(crate) struct Tokens(RwLock<HashMap<[u8; 32], Entry>>);

impl Tokens {
    /// Whom the token stands for.
    pub(crate) async fn principal(&self, pool: &PgPool, token: Token) -> sqlx::Result<Option<Principal>> {
        let hash = token.hash();
        if let Some(principal) = self.remembered(&hash, Instant::now()) {
            return Ok(Some(principal));
        }
        let mut connection = pool.acquire().await?;
        let principal = access::authenticate(&mut connection, token.reveal()).await?;
        self.remember(hash, principal, Instant::now());
        Ok(principal)
    }

    fn remembered(&self, hash: &[u8; 32], now: Instant) -> Option<Principal> {
        let remembered = self.0.read().expect("nobody panics while holding the lock");
        let entry = remembered.get(hash)?;
        let age = now.duration_since(entry.verified_at);
        let is_usable = age < FRESH || (age < VALID && entry.is_renewing.swap(true, Ordering::Relaxed));
        is_usable.then_some(entry.principal)
    }

    fn remember(&self, hash: [u8; 32], principal: Option<Principal>, now: Instant) {
        let mut remembered = self.0.write().expect("nobody panics while holding the lock");
        let Some(principal) = principal else {
            remembered.remove(&hash);
            return;
        };
        if remembered.len() >= REMEMBERED_MAX {
            remembered.retain(|_, entry| now.duration_since(entry.verified_at) < VALID);
        }
        if remembered.len() >= REMEMBERED_MAX {
            remembered.clear();
        }
        remembered.insert(hash, Entry { principal, verified_at: now, is_renewing: AtomicBool::new(false) });
    }
}

#[cfg(test)]
mod tests {
    use domain::{Role, UserId};
    use ledger::Book;

    use super::*;

    #[test]
    fn one_request_renews_while_the_others_go_on_and_then_it_is_over() {
        let (tokens, start) = (Tokens::default(), Instant::now());
        let principal = Principal::of(UserId::new(), Role::User, Book::MAIN);
        tokens.remember([1; 32], Some(principal), start);
        let taken_after = |millis| tokens.remembered(&[1; 32], start + Duration::from_millis(millis)).is_some();
        assert!(taken_after(999));
        assert!(!taken_after(1_001), "the first to find it stale looks it up");
        assert!(taken_after(1_002), "the others do not wait for that");
        assert!(!taken_after(2_000), "too old for anybody");
        tokens.remember([1; 32], None, start);
        assert!(!taken_after(1), "a refused token is forgotten");
    }
}
