//! `GET /api/v1/imports/{id}/errors`

use domain::imports;
use poem::http::Uri;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};

use crate::auth::{Caller, needs};
use crate::body::text::Id;
use crate::page::{LIMIT_DEFAULT, Limit, Listed, Page, VersionCursor};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::import::ImportErrorView;

pub(crate) struct ListErrors(pub(crate) State);

impl Operation for ListErrors {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ONE, refusals::ANY];
}

#[OpenApi(tag = "Tag::Imports")]
impl ListErrors {
    /// List an import's errors
    ///
    /// In the order of the rows, also while the import runs. Each says which rule a row broke, or that its `sku` or `email` was taken.
    #[oai(path = "/api/v1/imports/:id/errors", method = "get", operation_id = "listImportErrors")]
    async fn call(
        &self,
        #[oai(scope = "needs::JOBS_READ")] caller: Caller,
        uri: &Uri,
        /// The import.
        id: Path<Id>,
        /// The `next_cursor` of the page before.
        after: Query<Option<VersionCursor>>,
        /// How many at most; 50 if absent.
        limit: Query<Option<Limit>>,
    ) -> Result<Listed<ImportErrorView>, Failure<Self>> {
        let mut connection = self.0.connection().await?;
        let import = imports::find(&mut connection, &caller.0, id.0.0).await?;
        let after = after.0.map_or(0, |VersionCursor(number)| number);
        let limit = limit.0.unwrap_or(LIMIT_DEFAULT).0;
        let mut found = imports::findings(&mut connection, &caller.0, import.id, (after, limit + 1)).await?;
        let wanted = usize::try_from(limit).expect("a limit is small");
        let has_more = found.len() > wanted;
        found.truncate(wanted);
        let errors = found.iter().map(ImportErrorView::from).collect();
        let page = Page::of(errors, has_more, |error: &ImportErrorView| VersionCursor::encode(error.number));
        Ok(Listed::of(&page, uri))
    }
}
