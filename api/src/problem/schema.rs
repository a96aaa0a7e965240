//! The problem as the OpenAPI document describes it.

use poem_openapi::Object;

/// What went wrong, as RFC 9457 writes it.
#[derive(Debug, Object)]
#[oai(rename = "Problem")]
pub(crate) struct ProblemView {
    /// Identifies the kind of problem.
    #[oai(rename = "type", validator(pattern = "^urn:bitnexus:problem:[a-z0-9_]+$"))]
    kind: String,
    /// The kind of problem in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What is wrong with this request.
    detail: String,
    /// The path of the request.
    instance: String,
    /// The kind of problem as a stable word to program against.
    code: String,
    /// The id of the request, as in the header `x-request-id`; the log has it too.
    request_id: String,
    /// Each wrong value, when the problem is about values.
    #[oai(default, skip_serializing_if_is_empty)]
    errors: Vec<FieldProblemView>,
    /// The resource that is already there, when the problem is a conflict with one.
    #[oai(default, skip_serializing_if_is_none)]
    existing_id: Option<uuid::Uuid>,
    /// The scope that the caller lacks, when it is forbidden for that.
    #[oai(default, skip_serializing_if_is_none)]
    scope: Option<String>,
    /// The limits that are used up, as `RateLimit-Policy` names them, when the caller has sent too many requests.
    #[oai(default, skip_serializing_if_is_empty)]
    violated_policies: Vec<String>,
}

/// One wrong value: `pointer` for one in the body, `parameter` for one beside it.
#[derive(Debug, Object)]
#[oai(rename = "FieldProblem")]
pub(crate) struct FieldProblemView {
    /// JSON Pointer (RFC 6901) into the body.
    #[oai(default, skip_serializing_if_is_none)]
    pointer: Option<String>,
    /// Name of the query, path or header parameter.
    #[oai(default, skip_serializing_if_is_none)]
    parameter: Option<String>,
    /// The rule that is broken, as a stable word.
    code: String,
    /// The rule and what is wrong with the value.
    detail: String,
}
