//! Which jobs: the page of a list, and the selection of what is done to many.

use queue::control::{Filter, Select};
use queue::inspect::{self, Search};

use crate::auth::Caller;
use crate::body::Shape;
use crate::body::flag::Flag;
use crate::body::integer::Integer;
use crate::body::list::List;
use crate::body::object::object;
use crate::body::text::{Id, Text, Time};
use crate::page::{IdCursor, Limit, Page, page};
use crate::problem::{FieldProblem, Place, Problem};
use crate::state::State;
use crate::views::job_summary::{JobSummaryView, StateName};

/// The most jobs that one request changes; they are locked until it commits.
pub(super) type Cap = Integer<1, 10_000>;

/// How many when nobody says.
pub(super) const CAP_DEFAULT: Cap = Integer(1_000);

/// A page of the jobs that the caller may see.
pub(super) async fn page_of(
    state: &State,
    caller: &Caller,
    mut search: Search,
    after: Option<IdCursor>,
    limit: Option<Limit>,
) -> Result<Page<JobSummaryView>, Problem> {
    let own = caller.0.user_id.to_string();
    if !caller.0.is_staff() && search.actor.replace(own.clone()).is_some_and(|actor| actor != own) {
        return Ok(Page { items: Vec::new(), next_cursor: None, has_more: false });
    }
    let page = page(after, limit);
    let mut connection = state.connection().await?;
    let found = inspect::list(&mut connection, caller.0.book.shard, &search, page.after, page.limit).await?;
    let items = found.items.into_iter().map(JobSummaryView::from).collect();
    Ok(Page { items, next_cursor: found.next.map(IdCursor::encode), has_more: found.next.is_some() })
}

object! {
    /// Which jobs are meant; each condition that is given has to hold, and without one nothing is done.
    pub(crate) struct JobFilter {
        /// In this queue.
        pub queue: Option<Text<1, 128>>,
        /// Of this kind.
        pub kind: Option<Text<1, 128>>,
        /// In one of these states; in any that the action applies to if absent.
        pub states: Option<List<StateName, 1, 8>>,
        /// With this tag.
        pub tag: Option<Text<1, 200>>,
        /// Caused by this actor.
        pub actor: Option<Text<1, 256>>,
        /// Enqueued by this job.
        pub parent: Option<Id>,
        /// Enqueued at or after this time.
        pub created_after: Option<Time>,
        /// Enqueued before this time.
        pub created_before: Option<Time>,
        /// Said on purpose where there is no other condition: every job that the action applies to.
        pub everything: Option<Flag>,
    }
    example { "queue": "products" }
}

impl Shape for JobFilter {}

/// The jobs that are selected: by a filter, or by identifier, but not by both.
pub(super) fn select(filter: Option<JobFilter>, ids: Option<List<Id, 1, 1_000>>) -> Result<Select, Problem> {
    match (filter, ids) {
        (None, Some(List(ids))) => Ok(Select::Ids(ids.into_iter().map(|Id(id)| id).collect())),
        (Some(filter), None) => Ok(Select::Filter(filter.into_filter())),
        (given, _) => {
            let code = if given.is_some() { "one_of_two" } else { "required" };
            let detail = "This takes a filter or ids, and not both.".to_owned();
            Err(Problem::invalid(vec![FieldProblem { at: Place::Pointer("/filter".to_owned()), code, detail }]))
        }
    }
}

impl JobFilter {
    fn into_filter(self) -> Filter {
        Filter {
            queue: self.queue.map(Text::into_inner),
            kind: self.kind.map(Text::into_inner),
            states: self.states.into_iter().flat_map(|List(states)| states).map(StateName::state).collect(),
            tag: self.tag.map(Text::into_inner),
            actor: self.actor.map(Text::into_inner),
            parent: self.parent.map(|Id(id)| id),
            limit: None,
            created_after: self.created_after.map(|Time(time)| time),
            created_before: self.created_before.map(|Time(time)| time),
            everything: self.everything == Some(Flag(true)),
        }
    }
}
