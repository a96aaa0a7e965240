//! `GET /api/v1/schedules`

use poem::http::Uri;
use poem_openapi::OpenApi;
use poem_openapi::param::Query;
use queue::schedule;

use crate::auth::{Caller, needs};
use crate::page::{LIMIT_DEFAULT, Limit, Listed, NameCursor, Page};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::schedule::ScheduleSummaryView;

pub(crate) struct ListSchedules(pub(crate) State);

impl Operation for ListSchedules {
    const REFUSALS: &'static [&'static [Refusal]] = &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ANY];
}

#[OpenApi(tag = "Tag::Schedules")]
impl ListSchedules {
    /// List schedules
    ///
    /// For staff, by name.
    #[oai(path = "/api/v1/schedules", method = "get", operation_id = "listSchedules")]
    async fn call(
        &self,
        #[oai(scope = "needs::QUEUES_READ")] _caller: Caller,
        uri: &Uri,
        /// The `next_cursor` of the page before.
        after: Query<Option<NameCursor>>,
        /// How many at most; 50 if absent.
        limit: Query<Option<Limit>>,
    ) -> Result<Listed<ScheduleSummaryView>, Failure<Self>> {
        let limit = u16::try_from(limit.0.unwrap_or(LIMIT_DEFAULT).0).expect("a limit is small");
        let after = after.0.map(|NameCursor(name)| name);
        let mut found = schedule::page(&mut *self.0.connection().await?, after.as_deref(), limit + 1).await?;
        let has_more = found.len() > usize::from(limit);
        found.truncate(usize::from(limit));
        let items = found.into_iter().map(ScheduleSummaryView::from).collect();
        let page = Page::of(items, has_more, |schedule: &ScheduleSummaryView| NameCursor::encode(&schedule.name));
        Ok(Listed::of(&page, uri))
    }
}
