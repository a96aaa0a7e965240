//! `POST /api/v1/transactions/{id}/reversal`

use domain::transactions::{self, Kind};
use ledger::TransactionId;
use poem_openapi::OpenApi;
use poem_openapi::param::{Header, Path};

use super::answer;
use super::response::{self, Request, Response};
use crate::auth::{Caller, needs};
use crate::body::money::MoneyField;
use crate::body::object::object;
use crate::body::text::{Id, Text, Time};
use crate::body::{Body, Shape};
use crate::idempotency::IdempotencyKey;
use crate::prefer::Prefer;
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;

pub(crate) struct ReverseTransaction(pub(crate) State);

impl Operation for ReverseTransaction {
    const REFUSALS: &'static [&'static [Refusal]] = &[
        refusals::SIGNED_IN,
        refusals::BODY,
        refusals::IDEMPOTENT,
        refusals::ONE,
        response::REFERENCE,
        &[
            Refusal { status: 422, code: "original_rejected", when: "The transaction moved nothing." },
            Refusal { status: 422, code: "not_reversible", when: "The transaction moved nothing, or is a reversal." },
            Refusal {
                status: 422,
                code: "more_than_original",
                when: "The amount is more than that of the transaction.",
            },
            Refusal { status: 422, code: "account_not_found", when: "The money would go to an account of the book." },
        ],
        response::PART,
        response::UNAVAILABLE,
        refusals::ANY,
    ];
}

object! {
    /// How much is to be taken back.
    pub(crate) struct NewReversal {
        /// How much of it; all, if absent.
        pub amount: Option<MoneyField>,
        /// When it counts; now, if absent.
        pub effective_at: Option<Time>,
        /// Your own name for it, unique among your transactions: sending it again with the same content changes nothing.
        pub reference: Option<Text<1, 128>>,
        /// Your own words.
        pub description: Option<Text<1, 500>>,
    }
    example { "amount": { "amount": "2.50", "currency": "GBP" }, "description": "one of five came broken" }
}

impl Shape for NewReversal {}

#[OpenApi(tag = "Tag::Transactions")]
impl ReverseTransaction {
    /// Reverse a transaction
    ///
    /// A transaction of the type `reversal`, by whoever was paid. Without an amount it takes all of it back, once; parts never come to
    /// more than the whole. What the ledger finds when it records it, as that it is reversed already, makes it `rejected` with a `reason`.
    #[oai(path = "/api/v1/transactions/:id/reversal", method = "post", operation_id = "reverseTransaction")]
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
        body: Body<NewReversal>,
    ) -> Result<Response, Failure<Self>> {
        let (id, given) = (TransactionId(id.0.0), body.value);
        let new = transactions::NewTransaction {
            reverses: Some(id),
            amount: given.amount.map(|MoneyField(money)| money),
            effective_at: given.effective_at.map(|Time(time)| time),
            reference: given.reference.map(Text::into_inner),
            description: given.description.map(Text::into_inner),
            ..transactions::NewTransaction::of(Kind::Reversal)
        };
        let request = Request {
            principal: caller.0,
            new,
            route: "POST /api/v1/transactions/{id}/reversal",
            key: key.0,
            fingerprint: response::fingerprint(body.fingerprint, id),
            prefer: prefer.0,
        };
        Ok(request.answer(&self.0, answer::problem_of_path).await?)
    }
}
