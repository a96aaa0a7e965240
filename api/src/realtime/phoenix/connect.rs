//! Letting a client in: the protocol's version, where its page comes from, its token, and whether there is room.
//!
//! A client that is refused tries again for ever. So a refused token is remembered for a moment, and each refusal counts against the
//! address as a request without a valid token does.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use domain::access::token::Token;
use poem::http::{StatusCode, header};
use poem::{Request, Response};

use super::Phoenix;
use super::metrics;
use super::session::Session;
use super::sockets::Full;
use crate::edge;
use crate::problem::Problem;
use crate::state::State;

/// How a browser sends a token, which cannot set a header on a WebSocket.
const TOKEN_PROTOCOL: &str = "base64url.bearer.phx.";

/// How a client sends a token with long polls.
const TOKEN_HEADER: &str = "x-phoenix-authtoken";

/// For so long a refused token is refused without a look-up.
const REMEMBERED: Duration = Duration::from_secs(10);

/// So many refused tokens are remembered.
const REMEMBERED_MAX: usize = 10_000;

/// Tokens that were refused lately, by their hash.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<HashMap<[u8; 32], Instant>>);

/// Lets a client in, or answers why not: 403 without a body as Phoenix does, or a problem where it may come back later.
pub(super) async fn admit(state: &State, request: &Request, query: &Query) -> Result<Session, Response> {
    let refused = |why: &'static str| {
        metrics::refused_connect(why);
        Response::builder().status(StatusCode::FORBIDDEN).finish()
    };
    let later = |problem: Problem| poem::Error::from(problem).into_response();
    if !query.is_version_2() {
        return Err(refused("version"));
    }
    if !may_come_from(state, request) {
        return Err(refused("origin"));
    }
    let address = edge::client_address(request, &state.limits.proxies);
    address.map_or(Ok(()), |address| state.buckets.check(address)).map_err(later)?;
    let phoenix = &state.phoenix;
    let token = token(request, query).and_then(|text| Token::parse(&text));
    let caller = match &token {
        Some(token) => phoenix.caller(token).await.map_err(|error| later(Problem::from(error)))?,
        None => None,
    };
    let (Some(token), Some(caller)) = (token, caller) else {
        // Whether this one is too many is for the next one to hear.
        address.map(|address| state.buckets.take_from(address, false).ok());
        return Err(refused("token"));
    };
    let seat = phoenix.sockets.enter(caller.user_id, &phoenix.limits).map_err(|full| later(problem(full)))?;
    Ok(Session::new(phoenix.clone(), seat, caller, token))
}

impl Phoenix {
    /// Whom the token stands for; what was refused a moment ago still is.
    async fn caller(&self, token: &Token) -> sqlx::Result<Option<domain::Principal>> {
        let hash = token.hash();
        if self.refusals.has(&hash) {
            return Ok(None);
        }
        let caller = self.principal(token).await?;
        if caller.is_none() {
            self.refusals.note(hash);
        }
        Ok(caller)
    }
}

impl Refusals {
    fn has(&self, hash: &[u8; 32]) -> bool {
        let refused = self.0.lock().expect("nobody panics while holding the lock");
        refused.get(hash).is_some_and(|at| at.elapsed() < REMEMBERED)
    }

    fn note(&self, hash: [u8; 32]) {
        let mut refused = self.0.lock().expect("nobody panics while holding the lock");
        if refused.len() >= REMEMBERED_MAX {
            refused.clear();
        }
        refused.insert(hash, Instant::now());
    }
}

fn problem(full: Full) -> Problem {
    metrics::refused_connect("full");
    match full {
        Full::Here => Problem::unavailable("overloaded", "There is no room for more clients; try again."),
        Full::User => {
            let detail = "This user has too many clients connected.";
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_sockets", detail)
                .header(header::RETRY_AFTER, 5.into())
        }
    }
}

/// What stands behind the path.
#[derive(Debug, Default)]
pub(super) struct Query(HashMap<String, String>);

impl Query {
    /// The parameters of a request.
    pub(super) fn of(request: &Request) -> Query {
        Query(request.params().unwrap_or_default())
    }

    /// The parameter of this name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Whether the client speaks 2.0: who says nothing speaks 1.0.
    fn is_version_2(&self) -> bool {
        let patch = self.get("vsn").and_then(|version| version.strip_prefix("2.0."));
        patch.is_some_and(|patch| patch.parse::<u32>().is_ok())
    }
}

/// The token: of the subprotocol, of the header, or of the query.
fn token(request: &Request, query: &Query) -> Option<String> {
    let encoded = protocols(request).find_map(|protocol| protocol.strip_prefix(TOKEN_PROTOCOL));
    if let Some(encoded) = encoded {
        let bytes = STANDARD_NO_PAD.decode(encoded).or_else(|_| URL_SAFE_NO_PAD.decode(encoded)).ok()?;
        return String::from_utf8(bytes).ok();
    }
    request.header(TOKEN_HEADER).or(query.get("token")).map(str::to_owned)
}

/// The subprotocols that the client offers.
pub(super) fn protocols(request: &Request) -> impl Iterator<Item = &str> {
    let offered = request.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    offered.filter_map(|value| value.to_str().ok()).flat_map(|list| list.split(',')).map(str::trim)
}

/// Whether the page that connects may: one of the same host, or of an origin that may call the API. What is no page sends no origin.
fn may_come_from(state: &State, request: &Request) -> bool {
    let Some(origin) = request.header(header::ORIGIN) else {
        return !request.headers().contains_key(header::ORIGIN);
    };
    let host = origin.split_once("://").map(|(_, host)| host);
    (host.is_some() && host == request.header(header::HOST)) || edge::is_allowed_origin(request, &state.limits.origins)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_version_two_is_spoken() {
        let query = |vsn: Option<&str>| Query(vsn.map(|vsn| ("vsn".to_owned(), vsn.to_owned())).into_iter().collect());
        for (vsn, fits) in [
            (Some("2.0.0"), true),
            (Some("2.0.7"), true),
            (Some("1.0.0"), false),
            (Some("2.1.0"), false),
            (Some("2.0.x"), false),
            (None, false),
        ] {
            assert_eq!(query(vsn).is_version_2(), fits, "{vsn:?}");
        }
    }

    #[test]
    fn a_token_comes_by_three_ways() {
        let none = Query::default();
        let protocol = format!("phoenix, {TOKEN_PROTOCOL}{}", STANDARD_NO_PAD.encode("bns_x"));
        let request = Request::builder().header(header::SEC_WEBSOCKET_PROTOCOL, protocol).finish();
        assert_eq!(token(&request, &none).as_deref(), Some("bns_x"));
        let request = Request::builder().header(TOKEN_HEADER, "bns_y").finish();
        assert_eq!(token(&request, &none).as_deref(), Some("bns_y"));
        let query = Query(HashMap::from([("token".to_owned(), "bns_z".to_owned())]));
        assert_eq!(token(&Request::default(), &query).as_deref(), Some("bns_z"));
        assert_eq!(token(&Request::default(), &none), None);
    }
}
