//! `GET /api/v1/events`

use std::time::Duration;

use domain::access::token::Token;
use domain::events::topic;
use poem::Request;
use poem::http::StatusCode;
use poem_openapi::param::{Header, Query};
use poem_openapi::{ApiResponse, OpenApi};
use tokio::time::Instant;

use crate::auth::{Caller, bearer, needs};
use crate::body::event_id::EventId;
use crate::body::integer::Integer;
use crate::body::names::Names;
use crate::problem::Problem;
use crate::realtime::{Refused, SseReply, Stream, Wanted, may_follow, may_follow_everything};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;

pub(crate) struct FollowEvents(pub(crate) State);

impl Operation for FollowEvents {
    const REFUSALS: &'static [&'static [Refusal]] = &[
        refusals::SIGNED_IN,
        refusals::PARAMETERS,
        &[
            Refusal {
                status: 404,
                code: "not_found",
                when: "What a topic names is not the caller's, or does not exist.",
            },
            Refusal { status: 410, code: "events_gone", when: "What came after this id is no longer kept." },
            Refusal { status: 429, code: "too_many_streams", when: "The caller has too many streams open." },
        ],
        refusals::ANY,
    ];
}

#[derive(ApiResponse)]
pub(crate) enum Response {
    /// The events as they happen, each with its `id`, its kind as `event` and its payload as `data`. A comment every 15 seconds.
    #[oai(status = 200)]
    Events(SseReply),
}

#[OpenApi(tag = "Tag::Events")]
impl FollowEvents {
    /// Follow events
    ///
    /// A stream of server-sent events, in the order in which they were committed; docs/EVENTS.md lists what there is. With the id of the
    /// last event that was seen, what came after it is sent first: nothing is missing, and nothing is sent twice. A client that reads too
    /// slowly is cut off and comes back with that id. Without `topic`, a caller of the role `user` follows `user:<its own id>`, staff
    /// everything.
    #[oai(path = "/api/v1/events", method = "get", operation_id = "followEvents")]
    #[expect(clippy::too_many_arguments, reason = "each parameter of the operation is one argument")]
    async fn call(
        &self,
        request: &Request,
        #[oai(scope = "needs::USERS_READ", scope = "needs::PRODUCTS_READ", scope = "needs::TRANSACTIONS_READ")] caller: Caller,
        /// Only these topics: `user:<id>`, `transactions:<id>`, `jobs:<id>` and, for staff, `ledger`.
        topic: Query<Option<Names>>,
        /// Only these kinds, such as `transaction.recorded`.
        kind: Query<Option<Names>>,
        /// The id of the last event that was seen.
        last_event_id: Query<Option<EventId>>,
        /// The same; it counts if both are given, since a browser sends it when it comes back.
        #[oai(name = "Last-Event-ID")]
        last_event_id_header: Header<Option<EventId>>,
        /// End once something was sent, or after so many seconds; 0: with what there is now. Without it the stream stays open.
        wait: Query<Option<Integer<0, 30>>>,
    ) -> Result<Response, Failure<Self>> {
        let state = &self.0;
        let topics = self.topics(&caller, topic.0).await?;
        let kinds = kind.0.map(|Names(kinds)| kinds);
        let seat = state.seats.take(caller.0.user_id)?;
        let wanted = Wanted { book: caller.0.book, topics, kinds };
        let after = last_event_id_header.0.or(last_event_id.0);
        let subscription = match after {
            Some(EventId(after)) => state.hub.follow(wanted, after).await,
            None => state.hub.subscribe(wanted).await,
        }
        .map_err(problem)?;
        let until = wait.0.map(|Integer(seconds)| Instant::now() + Duration::from_secs(seconds.unsigned_abs()));
        if until.is_some() {
            state.hub.catch_up().await?;
        }
        let token = Token::parse(bearer(request)?).ok_or_else(Problem::not_found)?;
        Ok(Response::Events(SseReply(Stream::new(state.clone(), subscription, token, until, seat).bytes())))
    }
}

impl FollowEvents {
    /// The topics that the caller may follow of those that it names; none: everything.
    async fn topics(&self, caller: &Caller, named: Option<Names>) -> Result<Option<Vec<String>>, Problem> {
        let topics = match named {
            Some(Names(topics)) => topics,
            None if caller.0.is_staff() => {
                may_follow_everything(&caller.0)?;
                return Ok(None);
            }
            None => vec![topic::user(caller.0.user_id.0)],
        };
        for topic in &topics {
            may_follow(&self.0, &caller.0, topic).await?;
        }
        Ok(Some(topics))
    }
}

fn problem(refused: Refused) -> Problem {
    match refused {
        Refused::Gone => {
            let detail = "What came after this id is no longer kept: read what there is now, and follow without an id.";
            Problem::new(StatusCode::GONE, "events_gone", detail)
        }
        Refused::Database(error) => error.into(),
    }
}
