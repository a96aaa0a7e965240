//! `GET /api/v1/imports/{id}/errors.csv`

use std::io;

use domain::Principal;
use domain::imports::{self, Finding};
use futures::{Stream, stream};
use hyper::body::Bytes;
use poem::http::{HeaderValue, header};
use poem::{Body, IntoResponse};
use poem_openapi::param::Path;
use poem_openapi::payload::Payload;
use poem_openapi::registry::MetaSchemaRef;
use poem_openapi::types::Type;
use poem_openapi::{ApiResponse, OpenApi};
use uuid::Uuid;

use crate::auth::{Caller, needs};
use crate::body::text::Id;
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::import::ImportErrorView;

/// Errors that are read at once.
const PAGE: i64 = 1_000;

const HEADER: &str = "number,row,line,field,code,detail\r\n";

pub(crate) struct DownloadErrors(pub(crate) State);

impl Operation for DownloadErrors {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ONE, refusals::ANY];
}

/// A CSV that is written while it is read.
pub(crate) struct CsvFile(Body);

impl Payload for CsvFile {
    const CONTENT_TYPE: &'static str = "text/csv";

    fn schema_ref() -> MetaSchemaRef {
        String::schema_ref()
    }
}

impl IntoResponse for CsvFile {
    fn into_response(self) -> poem::Response {
        let mut response = poem::Response::builder().body(self.0);
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv"));
        response
    }
}

#[derive(ApiResponse)]
pub(crate) enum Response {
    /// The errors; `number,row,line,field,code,detail`.
    #[oai(status = 200)]
    File(
        CsvFile,
        /// A name to save it by.
        #[oai(header = "Content-Disposition")]
        String,
    ),
}

#[OpenApi(tag = "Tag::Imports")]
impl DownloadErrors {
    /// Download an import's errors
    ///
    /// All that were kept, as a CSV for a spreadsheet: no cell of it is taken for a formula.
    #[oai(path = "/api/v1/imports/:id/errors.csv", method = "get", operation_id = "downloadImportErrors")]
    async fn call(
        &self,
        #[oai(scope = "needs::JOBS_READ")] caller: Caller,
        /// The import.
        id: Path<Id>,
    ) -> Result<Response, Failure<Self>> {
        let import = imports::find(&mut *self.0.connection().await?, &caller.0, id.0.0).await?;
        let lines = lines(self.0.clone(), caller.0, import.id);
        let name = format!("attachment; filename=\"import-{}-errors.csv\"", import.id);
        Ok(Response::File(CsvFile(Body::from_bytes_stream(lines)), name))
    }
}

/// The file, a page of errors at a time; no connection is held between pages.
fn lines(state: State, caller: Principal, import: Uuid) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    stream::try_unfold((state, Some(0), HEADER.to_owned()), move |(state, after, mut text)| async move {
        let Some(after) = after else { return Ok(None) };
        let mut connection = state.pool.acquire().await.map_err(io::Error::other)?;
        let found = imports::findings(&mut connection, &caller, import, (after, PAGE)).await;
        let found = found.map_err(io::Error::other)?;
        drop(connection);
        found.iter().for_each(|finding| text.push_str(&line(finding)));
        let is_full = found.len() as i64 == PAGE;
        let next = found.last().filter(|_| is_full).map(|last| last.number);
        Ok(Some((Bytes::from(text), (state, next, String::new()))))
    })
}

fn line(finding: &Finding) -> String {
    let ImportErrorView { number, row, line, field, code, detail } = ImportErrorView::from(finding);
    let (field, code, detail) = (cell(&field.unwrap_or_default()), cell(&code), cell(&detail));
    format!("{number},{row},{line},{field},{code},{detail}\r\n")
}

/// A cell by RFC 4180 that no spreadsheet takes for a formula: one that would be is led by an apostrophe.
fn cell(text: &str) -> String {
    let lead = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    format!("\"{lead}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_never_a_formula() {
        assert_eq!(cell("=1+1"), "\"'=1+1\"");
        assert_eq!(cell("@sum"), "\"'@sum\"");
        assert_eq!(cell("a \"b\""), "\"a \"\"b\"\"\"");
    }
}
