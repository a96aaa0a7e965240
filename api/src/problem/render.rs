//! How a problem looks on the wire.

use poem::Response;
use poem::http::{HeaderValue, header};
use serde_json::{Map, Value, json};

use super::{FieldProblem, Place, Problem};

/// The media type of RFC 9457.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

impl Problem {
    /// The answer to one request: its path is the `instance`, its id the `request_id`.
    pub(crate) fn into_response(mut self, instance: &str, request_id: &str) -> Response {
        let headers = std::mem::take(&mut self.headers);
        let status = self.status;
        let document = self.document(instance, request_id).to_string();
        let mut response = Response::builder().status(status).body(document);
        let target = response.headers_mut();
        target.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        headers.into_iter().for_each(|(name, value)| {
            target.append(name, value);
        });
        response
    }

    fn document(self, instance: &str, request_id: &str) -> Value {
        let mut document = Map::new();
        document.insert("type".into(), format!("urn:bitnexus:problem:{}", self.code).into());
        document.insert("title".into(), title(self.code).into());
        document.insert("status".into(), self.status.as_u16().into());
        document.insert("detail".into(), self.detail.into());
        document.insert("instance".into(), instance.into());
        document.insert("code".into(), self.code.into());
        document.insert("request_id".into(), request_id.into());
        if !self.errors.is_empty() {
            document.insert("errors".into(), self.errors.iter().map(field).collect());
        }
        document.extend(self.extensions);
        Value::Object(document)
    }
}

fn field(problem: &FieldProblem) -> Value {
    let (key, place) = match &problem.at {
        Place::Pointer(pointer) => ("pointer", pointer),
        Place::Parameter(name) => ("parameter", name),
    };
    json!({ key: place, "code": problem.code, "detail": problem.detail })
}

/// RFC 9457 wants one title for each type: the code, spelled for a person.
fn title(code: &str) -> String {
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
