//! What a request carries with it: its id, its trace, and the state that operations share.

use std::sync::{Arc, OnceLock};

use domain::Principal;
use poem::Request;
use uuid::Uuid;

use super::Paths;
use super::buckets::Standing;
use crate::problem::Problem;
use crate::state::State;

/// Longest id a client may choose for its request.
const REQUEST_ID_LENGTH_MAX: usize = 128;

/// Travels in the request's extensions.
#[derive(Clone)]
pub(crate) struct Context {
    /// Named in the answer, in every problem and in the log.
    pub request_id: Arc<str>,
    /// What every operation shares.
    pub state: State,
    /// What the operations declare.
    pub paths: Arc<Paths>,
    /// How the caller stands with its limits, once that is known.
    standing: Arc<OnceLock<Vec<Standing>>>,
}

impl Context {
    /// Takes over the client's request id where it is well-formed, and makes one otherwise.
    pub(crate) fn of(request: &Request, state: State, paths: Arc<Paths>) -> Context {
        let request_id = match request.header("x-request-id").filter(|id| is_request_id(id)) {
            Some(id) => id.into(),
            None => Uuid::now_v7().to_string().into(),
        };
        Context { request_id, state, paths, standing: Arc::default() }
    }

    /// Counts the request against the limits of its caller, which is known now, and remembers who writes.
    pub(crate) fn count(&self, caller: &Principal, request: &Request) -> Result<(), Problem> {
        if let Some(replica) = self.state.replica.as_ref().filter(|_| !request.method().is_safe()) {
            replica.wrote(caller);
        }
        self.stands(self.state.buckets.take_of(caller, request.method())?);
        Ok(())
    }

    /// Remembers how the caller stands, for the answer to say.
    pub(super) fn stands(&self, standing: Vec<Standing>) {
        // Whoever is counted first is the caller.
        let _ = self.standing.set(standing);
    }

    /// How the caller stands.
    pub(super) fn standing(&self) -> &[Standing] {
        self.standing.get().map(Vec::as_slice).unwrap_or_default()
    }

    /// The context of a request behind the edge.
    pub(crate) fn from(request: &Request) -> &Context {
        request.extensions().get().expect("the edge gives every request its context")
    }
}

fn is_request_id(id: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:+/=".contains(&byte);
    (1..=REQUEST_ID_LENGTH_MAX).contains(&id.len()) && id.bytes().all(plain)
}

/// The transaction that a path is about.
pub(super) fn transaction_of(path: &str) -> Option<Uuid> {
    let rest = path.strip_prefix("/api/v1/transactions/")?;
    rest.split('/').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_is_plain_and_short() {
        assert!(is_request_id("checkout-7f.1:a_b"));
        assert!(!is_request_id(""));
        assert!(!is_request_id("a b"));
        assert!(!is_request_id(&"x".repeat(REQUEST_ID_LENGTH_MAX + 1)));
    }
}
