//! `POST /api/v1/transactions`

use poem_openapi::OpenApi;
use poem_openapi::param::Header;

use super::answer;
use super::new::NewTransaction;
use super::response::{self, Request, Response};
use crate::auth::{Caller, needs};
use crate::body::Body;
use crate::idempotency::IdempotencyKey;
use crate::prefer::Prefer;
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;

pub(crate) struct CreateTransaction(pub(crate) State);

impl Operation for CreateTransaction {
    const REFUSALS: &'static [&'static [Refusal]] = &[
        refusals::SIGNED_IN,
        refusals::BODY,
        refusals::IDEMPOTENT,
        response::REFERENCE,
        REFUSALS,
        response::UNAVAILABLE,
        refusals::ANY,
    ];
}

/// Why the domain refuses, in the order it checks.
const REFUSALS: &[Refusal] = &[
    Refusal { status: 403, code: "deposit_not_allowed", when: "The caller may not deposit." },
    Refusal { status: 422, code: "original_not_found", when: "There is no such transaction to reverse." },
    Refusal { status: 422, code: "original_rejected", when: "The transaction to reverse moved nothing." },
    Refusal {
        status: 422,
        code: "not_reversible",
        when: "The transaction to reverse moved nothing, or is a reversal.",
    },
    Refusal {
        status: 422,
        code: "more_than_original",
        when: "The amount is more than that of the transaction to reverse.",
    },
    Refusal { status: 422, code: "hold_not_found", when: "There is no such hold." },
    Refusal { status: 422, code: "not_a_hold", when: "The transaction to post or void sets nothing aside." },
    Refusal { status: 403, code: "post_not_allowed", when: "Only who pays or is paid, and staff, may post the hold." },
    Refusal { status: 403, code: "void_not_allowed", when: "Only who would be paid, and staff, may void the hold." },
    Refusal { status: 409, code: "hold_rejected", when: "The hold was rejected and holds nothing." },
    Refusal { status: 409, code: "already_posted", when: "The hold is posted already." },
    Refusal { status: 409, code: "already_voided", when: "The hold is voided already." },
    Refusal { status: 409, code: "hold_expired", when: "The hold's time is over." },
    Refusal { status: 422, code: "more_than_held", when: "The amount is more than that of the hold." },
    Refusal { status: 422, code: "part_of_many_legs", when: "A transaction of many legs is taken whole." },
    Refusal { status: 409, code: "product_archived", when: "The product is no longer sold." },
    Refusal { status: 409, code: "price_changed", when: "The product's price is not the one that was expected." },
    Refusal {
        status: 422,
        code: "amount_out_of_range",
        when: "So many of the product cost more than any amount can be.",
    },
    Refusal { status: 422, code: "seller_has_no_account", when: "The seller has no account in the price's currency." },
    Refusal { status: 422, code: "not_the_seller", when: "The account that would be paid is not the seller's." },
    Refusal { status: 422, code: "same_account", when: "The seller's account pays itself." },
    Refusal { status: 422, code: "account_not_found", when: "There is no such account that the caller may use so." },
    Refusal { status: 409, code: "account_not_open", when: "The account is still being opened; try again." },
    Refusal { status: 409, code: "account_closed", when: "The account's owner was deleted." },
    Refusal { status: 422, code: "currency_mismatch", when: "The account holds another currency." },
    Refusal { status: 422, code: "currency_not_offered", when: "The book has no account in this currency." },
    Refusal { status: 422, code: "product_not_found", when: "There is no such product." },
];

#[OpenApi(tag = "Tag::Transactions")]
impl CreateTransaction {
    /// Move money
    ///
    /// The transaction is saved and answered with 202; a job records it in the ledger, once, and then it is `recorded` or, as for lack
    /// of funds, `rejected` with a `reason`.
    #[oai(path = "/api/v1/transactions", method = "post", operation_id = "createTransaction")]
    async fn call(
        &self,
        #[oai(scope = "needs::TRANSACTIONS_WRITE")] caller: Caller,
        /// Makes the request safe to repeat: the same key and body get the same answer.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<IdempotencyKey>>,
        /// `wait=N` holds the answer for up to N seconds (at most 30) until the transaction is recorded or rejected.
        #[oai(name = "Prefer")]
        prefer: Header<Option<Prefer>>,
        body: Body<NewTransaction>,
    ) -> Result<Response, Failure<Self>> {
        let request = Request {
            principal: caller.0,
            new: body.value.into(),
            route: "POST /api/v1/transactions",
            key: key.0,
            fingerprint: body.fingerprint,
            prefer: prefer.0,
        };
        Ok(request.answer(&self.0, answer::problem).await?)
    }
}
