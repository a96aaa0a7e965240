//! `POST /api/v1/transactions/{id}/post`

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

pub(crate) struct PostTransaction(pub(crate) State);

impl Operation for PostTransaction {
    const REFUSALS: &'static [&'static [Refusal]] = &[
        refusals::SIGNED_IN,
        refusals::BODY,
        refusals::IDEMPOTENT,
        refusals::ONE,
        response::REFERENCE,
        HOLD,
        &[
            Refusal {
                status: 403,
                code: "post_not_allowed",
                when: "Only who pays or is paid, and staff, may post it.",
            },
            Refusal { status: 422, code: "more_than_held", when: "The amount is more than that of the hold." },
        ],
        response::PART,
        response::UNAVAILABLE,
        refusals::ANY,
    ];
}

/// Why a hold cannot be ended, in the order that is checked.
pub(super) const HOLD: &[Refusal] = &[
    Refusal { status: 422, code: "not_a_hold", when: "The transaction sets nothing aside." },
    Refusal { status: 409, code: "hold_rejected", when: "The hold was rejected and holds nothing." },
    Refusal { status: 409, code: "already_posted", when: "The hold is posted already." },
    Refusal { status: 409, code: "already_voided", when: "The hold is voided already." },
    Refusal { status: 409, code: "hold_expired", when: "The hold's time is over." },
];

object! {
    /// How much of a hold is to move.
    pub(crate) struct HoldPosting {
        /// How much of it; all, if absent.
        pub amount: Option<MoneyField>,
        /// When it counts; now, if absent.
        pub effective_at: Option<Time>,
        /// Your own name for it, unique among your transactions: sending it again with the same content changes nothing.
        pub reference: Option<Text<1, 128>>,
        /// Your own words.
        pub description: Option<Text<1, 500>>,
    }
    example { "amount": { "amount": "10.00", "currency": "GBP" }, "reference": "shipment-1042" }
}

impl Shape for HoldPosting {}

#[OpenApi(tag = "Tag::Transactions")]
impl PostTransaction {
    /// Post a hold
    ///
    /// A transaction of the type `post` that moves what the hold set aside, or a part of it; the rest is free again. A hold is posted
    /// once. What the ledger finds when it records it, as that the hold has expired meanwhile, makes it `rejected` with a `reason`.
    #[oai(path = "/api/v1/transactions/:id/post", method = "post", operation_id = "postTransaction")]
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
        body: Body<HoldPosting>,
    ) -> Result<Response, Failure<Self>> {
        let (id, given) = (TransactionId(id.0.0), body.value);
        let new = transactions::NewTransaction {
            resolves: Some(id),
            amount: given.amount.map(|MoneyField(money)| money),
            effective_at: given.effective_at.map(|Time(time)| time),
            reference: given.reference.map(Text::into_inner),
            description: given.description.map(Text::into_inner),
            ..transactions::NewTransaction::of(Kind::Post)
        };
        let request = Request {
            principal: caller.0,
            new,
            route: "POST /api/v1/transactions/{id}/post",
            key: key.0,
            fingerprint: response::fingerprint(body.fingerprint, id),
            prefer: prefer.0,
        };
        Ok(request.answer(&self.0, answer::problem_of_path).await?)
    }
}
