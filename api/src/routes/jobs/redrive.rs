//! `POST /api/v1/dead-letters/redrive`

use poem::http::Uri;
use poem_openapi::OpenApi;
use poem_openapi::param::Header;
use queue::control::Action;

use super::bulk::Wanted;
use super::filter::{CAP_DEFAULT, Cap, JobFilter, select};
use crate::auth::{Caller, needs};
use crate::body::flag::Flag;
use crate::body::list::List;
use crate::body::object::object;
use crate::body::text::Id;
use crate::body::{Body, Shape};
use crate::deed::Done;
use crate::idempotency::IdempotencyKey;
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::queue::BulkAnswer;

pub(crate) struct RedriveDeadLetters(pub(crate) State);

impl Operation for RedriveDeadLetters {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::BODY, refusals::IDEMPOTENT, refusals::ANY];
}

object! {
    /// Dead letters that are to live again.
    pub(crate) struct RedriveRequest {
        /// Which; either this or `ids`.
        pub filter: Option<JobFilter>,
        /// Which, by identifier.
        pub ids: Option<List<Id, 1, 1_000>>,
        /// How many at most; 1,000 if absent.
        pub limit: Option<Cap>,
        /// Only tell how many there are.
        pub dry_run: Option<Flag>,
    }
    example { "filter": { "kind": "products.categorize" } }
}

impl Shape for RedriveRequest {}

#[OpenApi(tag = "Tag::Jobs")]
impl RedriveDeadLetters {
    /// Give dead letters another life
    ///
    /// For staff. They keep their identifiers and errors, and have all their attempts again. One whose identifier or unique key a live job
    /// has stays where it is.
    #[oai(path = "/api/v1/dead-letters/redrive", method = "post", operation_id = "redriveDeadLetters")]
    async fn call(
        &self,
        #[oai(scope = "needs::QUEUES_ADMIN")] caller: Caller,
        uri: &Uri,
        /// Makes the request safe to repeat: the same key and body get the same answer.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<IdempotencyKey>>,
        body: Body<RedriveRequest>,
    ) -> Result<Done<BulkAnswer>, Failure<Self>> {
        let asked = body.value;
        let wanted = Wanted {
            route: "POST /api/v1/dead-letters/redrive",
            action: Action::Redrive,
            select: select(asked.filter, asked.ids)?,
            cap: asked.limit.unwrap_or(CAP_DEFAULT),
            is_dry: asked.dry_run == Some(Flag(true)),
        };
        Ok(wanted.carry_out(&self.0, &caller, uri, key.0, body.fingerprint).await?)
    }
}
