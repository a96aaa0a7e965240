//! What a request carries with it: its id, its trace, and the state that operations share.

use std::sync::{Arc, OnceLock};

use domain::Principal;
use poem::{FromRequest, Request, RequestBody};
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
    /// The W3C trace context of the caller, if it sent a valid one.
    pub traceparent: Option<Arc<str>>,
    /// What every operation shares.
    pub state: State,
    /// What the operations declare.
    pub paths: Arc<Paths>,
    /// How the caller stands with its limits, once that is known.
    standing: Arc<OnceLock<Vec<Standing>>>,
}

impl Context {
    /// Takes over the client's request id and trace where they are well-formed, and makes an id otherwise.
    pub(crate) fn of(request: &Request, state: State, paths: Arc<Paths>) -> Context {
        let request_id = match request.header("x-request-id").filter(|id| is_request_id(id)) {
            Some(id) => id.into(),
            None => Uuid::now_v7().to_string().into(),
        };
        let traceparent = request.header("traceparent").filter(|trace| is_traceparent(trace)).map(Arc::from);
        Context { request_id, traceparent, state, paths, standing: Arc::default() }
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

/// The caller's W3C trace context, for the jobs that the request leads to.
pub(crate) struct Trace(pub(crate) Option<String>);

impl<'a> FromRequest<'a> for Trace {
    async fn from_request(request: &'a Request, _body: &mut RequestBody) -> poem::Result<Trace> {
        Ok(Trace(Context::from(request).traceparent.as_deref().map(str::to_owned)))
    }
}

fn is_request_id(id: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:+/=".contains(&byte);
    (1..=REQUEST_ID_LENGTH_MAX).contains(&id.len()) && id.bytes().all(plain)
}

/// Version 00 of <https://www.w3.org/TR/trace-context/>: `00-<32 hex>-<16 hex>-<2 hex>`, ids not all zero.
fn is_traceparent(trace: &str) -> bool {
    let hex = |part: &str, length: usize| {
        part.len() == length && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let named = |part: &str| part.bytes().any(|byte| byte != b'0');
    let parts: Vec<&str> = trace.split('-').collect();
    matches!(parts[..], ["00", id, parent, flags]
        if hex(id, 32) && named(id) && hex(parent, 16) && named(parent) && hex(flags, 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_well_formed_trace_is_taken_over() {
        assert!(is_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
        for wrong in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert!(!is_traceparent(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_request_id_is_plain_and_short() {
        assert!(is_request_id("checkout-7f.1:a_b"));
        assert!(!is_request_id(""));
        assert!(!is_request_id("a b"));
        assert!(!is_request_id(&"x".repeat(REQUEST_ID_LENGTH_MAX + 1)));
    }
}
