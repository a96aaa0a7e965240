//! `GET /api/v1/audit`

use domain::audit;
use poem::http::Uri;
use poem_openapi::OpenApi;
use poem_openapi::param::Query;
use queue::control::{self, Log};
use uuid::Uuid;

use crate::auth::{Caller, needs};
use crate::body::text::{Text, Time};
use crate::page::{IdCursor, Limit, Listed, Page, page};
use crate::problem::Problem;
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::audit::{Area, AuditEntryView};

pub(crate) struct ListAudit(pub(crate) State);

impl Operation for ListAudit {
    const REFUSALS: &'static [&'static [Refusal]] = &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ANY];
}

#[OpenApi(tag = "Tag::Audit")]
impl ListAudit {
    /// List what was done by whom
    ///
    /// For staff: what was done to accounts and rights, and to jobs, queues and schedules, in one list, the latest first.
    #[oai(path = "/api/v1/audit", method = "get", operation_id = "listAudit")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn call(
        &self,
        #[oai(scope = "needs::AUDIT_READ")] caller: Caller,
        uri: &Uri,
        /// Only what was done to accounts, or to the queue.
        area: Query<Option<Area>>,
        /// Only what this one did: a user's id, or `cli:` and a name.
        actor: Query<Option<Text<1, 256>>>,
        /// Only what was done so, such as `user.suspend` or `pause_queue`.
        action: Query<Option<Text<1, 100>>>,
        /// Only what was done to this: an id, or the name of a queue, kind, limit or schedule.
        target: Query<Option<Text<1, 256>>>,
        /// Only what was done at or after this time.
        from: Query<Option<Time>>,
        /// Only what was done before this time.
        to: Query<Option<Time>>,
        /// The `next_cursor` of the page before.
        after: Query<Option<IdCursor>>,
        /// How many at most; 50 if absent.
        limit: Query<Option<Limit>>,
    ) -> Result<Listed<AuditEntryView>, Failure<Self>> {
        let page = page(after.0, limit.0);
        let log = Log {
            actor: actor.0.map(Text::into_inner),
            action: action.0.map(Text::into_inner),
            target: target.0.map(Text::into_inner),
            from: from.0.map(|Time(time)| time),
            to: to.0.map(|Time(time)| time),
            after: page.after,
        };
        let mut entries = Vec::new();
        if area.0 != Some(Area::Queue) {
            entries.extend(self.of_accounts(&caller, &log, page).await?);
        }
        if area.0 != Some(Area::Accounts) {
            let limit = u32::from(page.limit) + 1;
            let of_queue = control::log(&mut *self.0.connection().await?, caller.0.book.shard, &log, limit).await?;
            entries.extend(of_queue.into_iter().map(AuditEntryView::from));
        }
        // Each part is in this order, and has one more than the page if there are more.
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.id));
        let has_more = entries.len() > usize::from(page.limit);
        entries.truncate(usize::from(page.limit));
        let page = Page::of(entries, has_more, |entry: &AuditEntryView| IdCursor::encode(entry.id));
        Ok(Listed::of(&page, uri))
    }
}

impl ListAudit {
    /// What was done to accounts, one more than the page holds if there are more.
    async fn of_accounts(
        &self,
        caller: &Caller,
        log: &Log,
        page: domain::Page,
    ) -> Result<Vec<AuditEntryView>, Problem> {
        let actor = match log.actor.as_deref().map(str::parse::<Uuid>) {
            Some(Ok(user)) => Some(user),
            None => None,
            // Nobody but users does anything to accounts.
            Some(Err(_)) => return Ok(Vec::new()),
        };
        let filter = audit::Filter {
            actor,
            action: log.action.clone(),
            target: log.target.clone(),
            from: log.from,
            to: log.to,
            page: domain::Page { limit: page.limit + 1, ..page },
        };
        let listed = audit::list(&mut *self.0.connection().await?, &caller.0, &filter).await?;
        Ok(listed.items.into_iter().map(AuditEntryView::from).collect())
    }
}
