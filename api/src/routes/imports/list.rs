//! `GET /api/v1/imports`

use domain::imports::{self, Filter, Kind};
use poem::http::Uri;
use poem_openapi::OpenApi;
use poem_openapi::param::Query;

use crate::auth::{Caller, needs};
use crate::page::{IdCursor, Limit, Listed, Page, page};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::import::{ImportKind, ImportState, ImportView};

pub(crate) struct ListImports(pub(crate) State);

impl Operation for ListImports {
    const REFUSALS: &'static [&'static [Refusal]] = &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ANY];
}

#[OpenApi(tag = "Tag::Imports")]
impl ListImports {
    /// List imports
    ///
    /// Newest first; a caller of the role `user` sees only its own.
    #[oai(path = "/api/v1/imports", method = "get", operation_id = "listImports")]
    async fn call(
        &self,
        #[oai(scope = "needs::JOBS_READ")] caller: Caller,
        uri: &Uri,
        /// Only those of this kind.
        kind: Query<Option<ImportKind>>,
        /// Only those in this state.
        state: Query<Option<ImportState>>,
        /// The `next_cursor` of the page before.
        after: Query<Option<IdCursor>>,
        /// How many at most; 50 if absent.
        limit: Query<Option<Limit>>,
    ) -> Result<Listed<ImportView>, Failure<Self>> {
        let kind = kind.0.and_then(|kind| Kind::parse(kind.word()));
        let filter = Filter { kind, state: state.0.map(ImportState::word), page: page(after.0, limit.0) };
        let listed = imports::list(&mut *self.0.connection().await?, &caller.0, &filter).await?;
        let imports = listed.items.iter().map(ImportView::from).collect();
        let page = Page::of(imports, listed.has_more, |import: &ImportView| IdCursor::encode(import.id));
        Ok(Listed::of(&page, uri))
    }
}
