//! `GET /api/v1/imports/{id}`

use domain::imports;
use poem_openapi::OpenApi;
use poem_openapi::param::Path;

use crate::auth::{Caller, needs};
use crate::body::text::Id;
use crate::found::{Found, KnownTags};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::import::ImportView;

pub(crate) struct GetImport(pub(crate) State);

impl Operation for GetImport {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ONE, refusals::ANY];
}

#[OpenApi(tag = "Tag::Imports")]
impl GetImport {
    /// Get an import
    ///
    /// A caller of the role `user` finds only those of its own. Its counts move with the rows: they are never ahead of them.
    #[oai(path = "/api/v1/imports/:id", method = "get", operation_id = "getImport")]
    async fn call(
        &self,
        #[oai(scope = "needs::JOBS_READ")] caller: Caller,
        known: KnownTags,
        /// The import.
        id: Path<Id>,
    ) -> Result<Found<ImportView>, Failure<Self>> {
        let import = imports::find(&mut *self.0.connection().await?, &caller.0, id.0.0).await?;
        Ok(Found::of(&ImportView::from(&import), &known))
    }
}
