//! `POST /api/v1/transactions/{id}/void`

use domain::transactions::{self, Kind};
use ledger::TransactionId;
use poem_openapi::OpenApi;
use poem_openapi::param::{Header, Path};

use super::answer;
use super::response::{self, Request, Response};
use crate::auth::{Caller, needs};
use crate::body::object::object;
use crate::body::text::{Id, Text};
use crate::body::{Body, Shape};
use crate::idempotency::IdempotencyKey;
use crate::prefer::Prefer;
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;

pub(crate) struct VoidTransaction(pub(crate) State);

impl Operation for VoidTransaction {
    const REFUSALS: &'static [&'static [Refusal]] = &[
        refusals::SIGNED_IN,
        refusals::BODY,
        refusals::IDEMPOTENT,
        refusals::ONE,
        response::REFERENCE,
        super::post::HOLD,
        &[Refusal { status: 403, code: "void_not_allowed", when: "Only who would be paid, and staff, may void it." }],
        response::UNAVAILABLE,
        refusals::ANY,
    ];
}

object! {
    /// Why a hold is let go of.
    pub(crate) struct HoldVoiding {
        /// Your own name for it, unique among your transactions: sending it again with the same content changes nothing.
        pub reference: Option<Text<1, 128>>,
        /// Your own words.
        pub description: Option<Text<1, 500>>,
    }
    example { "description": "out of stock" }
}

impl Shape for HoldVoiding {}

#[OpenApi(tag = "Tag::Transactions")]
impl VoidTransaction {
    /// Void a hold
    ///
    /// A transaction of the type `void` that frees what the hold set aside. Only who would be paid lets go of it; who pays waits for the
    /// hold to expire.
    #[oai(path = "/api/v1/transactions/:id/void", method = "post", operation_id = "voidTransaction")]
    async fn call(
        &self,
        #[oai(scope = "needs::TRANSACTIONS_WRITE")] caller: Caller,
        /// The transaction.
        id: Path<Id>,
        /// Makes the request safe to repeat: the same key and body get the same answer.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<IdempotencyKey>>,
        /// `wait=N` holds the answer for up to N seconds (at most 30) until the transaction is recorded or rejected.
        #[oai(name = "Prefer")]
        prefer: Header<Option<Prefer>>,
        body: Body<HoldVoiding>,
    ) -> Result<Response, Failure<Self>> {
        let (id, given) = (TransactionId(id.0.0), body.value);
        let new = transactions::NewTransaction {
            resolves: Some(id),
            reference: given.reference.map(Text::into_inner),
            description: given.description.map(Text::into_inner),
            ..transactions::NewTransaction::of(Kind::Void)
        };
        let request = Request {
            principal: caller.0,
            new,
            route: "POST /api/v1/transactions/{id}/void",
            key: key.0,
            fingerprint: response::fingerprint(body.fingerprint, id),
            prefer: prefer.0,
        };
        Ok(request.answer(&self.0, answer::problem_of_path).await?)
    }
}
