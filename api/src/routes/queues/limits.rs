//! `GET /api/v1/limits`

use poem::http::Uri;
use poem_openapi::OpenApi;
use queue::inspect;
use sqlx::PgConnection;

use crate::auth::{Caller, needs};
use crate::page::{Listed, Page};
use crate::problem::Problem;
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::queue::LimitView;

pub(crate) struct ListLimits(pub(crate) State);

impl Operation for ListLimits {
    const REFUSALS: &'static [&'static [Refusal]] = &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ANY];
}

#[OpenApi(tag = "Tag::Queues")]
impl ListLimits {
    /// List limits
    ///
    /// For staff: all of them on one page. A limit holds for each of its keys; jobs say which limit and key they are under.
    #[oai(path = "/api/v1/limits", method = "get", operation_id = "listLimits")]
    async fn call(
        &self,
        #[oai(scope = "needs::QUEUES_READ")] _caller: Caller,
        uri: &Uri,
    ) -> Result<Listed<LimitView>, Failure<Self>> {
        let limits = inspect::limits(&mut *self.0.connection().await?).await?;
        let items = limits.into_iter().map(LimitView::from).collect();
        Ok(Listed::of(&Page { items, next_cursor: None, has_more: false }, uri))
    }
}

/// The limit of this name.
pub(super) async fn find(conn: &mut PgConnection, name: &str) -> Result<LimitView, Problem> {
    let found = inspect::limits(conn).await?.into_iter().find(|limit| limit.name == name);
    found.map(LimitView::from).ok_or_else(Problem::not_found)
}
