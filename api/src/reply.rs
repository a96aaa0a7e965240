//! What an operation answers with: JSON written straight from the resource, and the refusals it documents.

use std::marker::PhantomData;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use poem::http::{HeaderValue, header};
use poem::{IntoResponse, Response};
use poem_openapi::ApiResponse;
use poem_openapi::payload::Payload;
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchemaRef, Registry};
use poem_openapi::types::Type;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::problem::{MEDIA_TYPE, Problem, ProblemView};

/// A JSON answer, written by serde without the detour over a tree that poem-openapi's `Json` takes.
pub(crate) struct Reply<T> {
    bytes: Vec<u8>,
    of: PhantomData<T>,
}

impl<T: Serialize> Reply<T> {
    /// The answer that shows `resource`.
    pub(crate) fn of(resource: &T) -> Reply<T> {
        let bytes = serde_json::to_vec(resource).expect("a resource has string keys and no failing serializer");
        Reply { bytes, of: PhantomData }
    }

    /// A strong validator of the answer: the same bytes have the same tag.
    pub(crate) fn tag(&self) -> String {
        tag_of(&self.bytes)
    }

    /// An answer as it was given before and kept.
    pub(crate) fn kept(answer: &serde_json::Value) -> Reply<T> {
        Reply { bytes: answer.to_string().into_bytes(), of: PhantomData }
    }
}

impl<T: Type> Payload for Reply<T> {
    const CONTENT_TYPE: &'static str = "application/json";

    fn schema_ref() -> MetaSchemaRef {
        T::schema_ref()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl<T: Send> IntoResponse for Reply<T> {
    fn into_response(self) -> Response {
        let mut response = Response::builder().body(self.bytes);
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }
}

/// A strong validator of these bytes.
pub(crate) fn tag_of(bytes: &[u8]) -> String {
    format!("\"{}\"", BASE64_URL_SAFE_NO_PAD.encode(&Sha256::digest(bytes)[..16]))
}

/// One way a request can be refused, as the document tells it.
pub(crate) struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The stable code in the problem.
    pub code: &'static str,
    /// When that happens.
    pub when: &'static str,
}

/// What an operation says about itself beside its signature.
pub(crate) trait Operation: Send + Sync + 'static {
    /// Every way it can refuse, in the order it checks.
    const REFUSALS: &'static [&'static [Refusal]];
}

/// The refusals that many operations share.
pub(crate) mod refusals {
    use super::Refusal;

    const fn refusal(status: u16, code: &'static str, when: &'static str) -> Refusal {
        Refusal { status, code, when }
    }

    /// Any operation's.
    pub(crate) const ANY: &[Refusal] = &[
        refusal(406, "not_acceptable", "The Accept header rules out JSON."),
        refusal(
            429,
            "rate_limited",
            "The caller has sent more requests than it may; `violated_policies` names the limit.",
        ),
        refusal(500, "internal_error", "Something broke on our side."),
        refusal(503, "database_unavailable", "The database cannot be reached; try again after Retry-After."),
        refusal(503, "timeout", "The request took too long."),
        refusal(
            503,
            "overloaded",
            "There is too much to do, or the database is too slow; try again after Retry-After.",
        ),
    ];
    /// Those of an operation that wants to know who asks.
    pub(crate) const SIGNED_IN: &[Refusal] = &[
        refusal(401, "unauthorized", "There is no bearer token, or it is not valid."),
        refusal(
            403,
            "forbidden",
            "The caller's role, or the API key, does not allow this; `scope` names what it takes.",
        ),
    ];
    /// Those of an operation with parameters.
    pub(crate) const PARAMETERS: &[Refusal] =
        &[refusal(422, "validation_failed", "A value is not acceptable; `errors` names each.")];
    /// Those of an operation with a body.
    pub(crate) const BODY: &[Refusal] = &[
        refusal(415, "unsupported_media_type", "The body is not declared as application/json."),
        refusal(413, "body_too_large", "The body is longer than the operation takes."),
        refusal(408, "body_timeout", "The body took too long to arrive."),
        refusal(400, "malformed_json", "The body is not JSON; `detail` says where."),
        refusal(422, "validation_failed", "A value is not acceptable; `errors` names each."),
    ];
    /// Those of an operation that may be retried under an `Idempotency-Key`.
    pub(crate) const IDEMPOTENT: &[Refusal] =
        &[refusal(409, "idempotency_key_reused", "The Idempotency-Key was used with another body.")];
    /// Those of an operation that changes what was read before.
    pub(crate) const CONDITIONAL: &[Refusal] = &[
        refusal(428, "precondition_required", "There is no If-Match header."),
        refusal(412, "precondition_failed", "The resource has changed since it was read; read it again."),
    ];
    /// Those of an operation on one resource.
    pub(crate) const ONE: &[Refusal] =
        &[refusal(404, "not_found", "There is no such resource, or it is not the caller's.")];
}

/// The failure of operation `O`: any problem, documented as its refusals.
pub(crate) struct Failure<O> {
    problem: Problem,
    of: PhantomData<O>,
}

impl<O, E: Into<Problem>> From<E> for Failure<O> {
    fn from(error: E) -> Failure<O> {
        Failure { problem: error.into(), of: PhantomData }
    }
}

impl<O> From<Failure<O>> for poem::Error {
    fn from(failure: Failure<O>) -> poem::Error {
        failure.problem.into()
    }
}

impl<O: Operation> ApiResponse for Failure<O> {
    fn meta() -> MetaResponses {
        let mut statuses: Vec<u16> = O::REFUSALS.iter().copied().flatten().map(|refusal| refusal.status).collect();
        statuses.sort_unstable();
        statuses.dedup();
        MetaResponses { responses: statuses.into_iter().map(response::<O>).collect() }
    }

    fn register(registry: &mut Registry) {
        ProblemView::register(registry);
    }
}

fn response<O: Operation>(status: u16) -> MetaResponse {
    let refusals = O::REFUSALS.iter().copied().flatten().filter(|refusal| refusal.status == status);
    let lines: Vec<String> = refusals.map(|refusal| format!("`{}`: {}", refusal.code, refusal.when)).collect();
    // The registry wants a text that lives for ever. This runs a few times at start, so it is a few kilobytes.
    let description = Box::leak(lines.join("\n\n").into_boxed_str());
    let content = vec![MetaMediaType { content_type: MEDIA_TYPE, schema: ProblemView::schema_ref() }];
    MetaResponse { description, status: Some(status), status_range: None, content, headers: Vec::new() }
}
