//! How a problem looks on the wire.

use poem::Response;
use poem::http::{HeaderValue, header};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{FieldProblem, Place, Problem};

/// The media type of RFC 9457.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

impl Problem {
    /// The answer to one request: its path is the `instance`, its id the `request_id`.
    pub(crate) fn into_response(mut self, instance: &str, request_id: &str) -> Response {
        let headers = std::mem::take(&mut self.headers);
        let status = self.status;
        let document = self.document(instance, request_id);
        let mut response = Response::builder().status(status).body(document);
        let target = response.headers_mut();
        target.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        headers.into_iter().for_each(|(name, value)| {
            target.append(name, value);
        });
        response
    }

    fn document(self, instance: &str, request_id: &str) -> String {
        let document = Document {
            kind: format!("urn:bitnexus:problem:{}", self.code),
            title: title(self.code),
            status: self.status.as_u16(),
            detail: &self.detail,
            instance,
            code: self.code,
            request_id,
            errors: self.errors.iter().map(Entry::from).collect(),
            extensions: &self.extensions,
        };
        serde_json::to_string(&document).expect("a problem is plain data")
    }
}

/// The members in the order a reader wants them.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: String,
    status: u16,
    detail: &'a str,
    instance: &'a str,
    code: &'a str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Entry<'a>>,
    #[serde(flatten)]
    extensions: &'a Map<String, Value>,
}

#[derive(Serialize)]
struct Entry<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<&'a str>,
    code: &'a str,
    detail: &'a str,
}

impl<'a> From<&'a FieldProblem> for Entry<'a> {
    fn from(problem: &'a FieldProblem) -> Entry<'a> {
        let (pointer, parameter) = match &problem.at {
            Place::Pointer(pointer) => (Some(pointer.as_str()), None),
            Place::Parameter(name) => (None, Some(name.as_str())),
        };
        Entry { pointer, parameter, code: problem.code, detail: &problem.detail }
    }
}

/// RFC 9457 wants one title for each type: the code, spelled for a person.
pub(crate) fn title(code: &str) -> String {
    let mut title = code.replace('_', " ");
    if let Some(first) = title.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    title
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_reads_as_a_title() {
        assert_eq!(title("email_taken"), "Email taken");
    }
}
