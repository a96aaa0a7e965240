//! `POST /api/v1/transactions`

use std::time::Duration;

use domain::Principal;
use domain::transactions::{self, Decision, Transaction};
use jobs::record_transaction::Submission;
use jobs::submitted::Submitted;
use poem_openapi::param::Header;
use poem_openapi::{ApiResponse, OpenApi};

use super::answer::{self, Decided};
use super::new::NewTransaction;
use crate::auth::{Caller, needs};
use crate::body::Body;
use crate::edge::Trace;
use crate::idempotency::{IdempotencyKey, repeatable};
use crate::prefer::Prefer;
use crate::problem::Problem;
use crate::reply::{Failure, Operation, Refusal, Reply, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::transaction::TransactionView;

pub(crate) struct CreateTransaction(pub(crate) State);

impl Operation for CreateTransaction {
    const REFUSALS: &'static [&'static [Refusal]] = &[
        refusals::SIGNED_IN,
        refusals::BODY,
        refusals::IDEMPOTENT,
        REFUSALS,
        &[Refusal {
            status: 503,
            code: "unavailable",
            when: "Whether it was saved is not known; repeating it is safe.",
        }],
        refusals::ANY,
    ];
}

/// Why the domain refuses, in the order it checks.
const REFUSALS: &[Refusal] = &[
    Refusal { status: 409, code: "reference_taken", when: "`existing_id` has this reference and other content." },
    Refusal { status: 403, code: "deposit_not_allowed", when: "The caller may not deposit." },
    Refusal { status: 422, code: "original_not_found", when: "There is no such transaction to reverse." },
    Refusal { status: 422, code: "original_rejected", when: "The transaction to reverse moved nothing." },
    Refusal { status: 422, code: "not_reversible", when: "The transaction to reverse is itself a reversal." },
    Refusal { status: 422, code: "account_not_found", when: "There is no such account that the caller may use so." },
    Refusal { status: 409, code: "account_not_open", when: "The account is still being opened; try again." },
    Refusal { status: 409, code: "account_closed", when: "The account's owner was deleted." },
    Refusal { status: 422, code: "currency_mismatch", when: "The account holds another currency." },
    Refusal { status: 422, code: "currency_not_offered", when: "The book has no account in this currency." },
    Refusal { status: 422, code: "product_not_found", when: "There is no such product." },
];

#[derive(ApiResponse)]
pub(crate) enum Response {
    /// The transaction that has this reference already, with the same content; or, with `Prefer: wait`, the finished one.
    #[oai(status = 200)]
    There(
        Reply<TransactionView>,
        /// Where the transaction is.
        #[oai(header = "Location")]
        String,
        /// `true` when this answers an earlier request of the same key.
        #[oai(header = "Idempotency-Replayed")]
        Option<bool>,
        /// The preference that was followed.
        #[oai(header = "Preference-Applied")]
        Option<String>,
    ),
    /// Saved for good, to be recorded by its job: nothing is lost after this answer.
    #[oai(status = 202)]
    Accepted(
        Reply<TransactionView>,
        /// Where the transaction is.
        #[oai(header = "Location")]
        String,
        /// `true` when this answers an earlier request of the same key.
        #[oai(header = "Idempotency-Replayed")]
        Option<bool>,
        /// The preference that was followed.
        #[oai(header = "Preference-Applied")]
        Option<String>,
    ),
}

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
        trace: Trace,
        /// Makes the request safe to repeat: the same key and body get the same answer.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<IdempotencyKey>>,
        /// `wait=N` holds the answer for up to N seconds (at most 30) until the transaction is recorded or rejected.
        #[oai(name = "Prefer")]
        prefer: Header<Option<Prefer>>,
        body: Body<NewTransaction>,
    ) -> Result<Response, Failure<Self>> {
        let new = transactions::NewTransaction::from(body.value);
        new.validate()?;
        let repeatable = repeatable(key.0, "POST /api/v1/transactions", body.fingerprint, answer::keep_accepted);
        let Caller(principal) = caller;
        let submission = Submission { principal, transactions: vec![new], repeatable, trace: trace.0 };
        let (decided, replayed) = match self.0.submitter.submit(submission).await? {
            Submitted::Done(decisions) => (made(decisions)?, None),
            Submitted::Replayed(kept) => (answer::again(&self.0, &principal, kept).await?.pop(), Some(true)),
        };
        let wait = prefer.0.and_then(|Prefer(wait)| wait);
        Ok(self.response(principal, decided.ok_or_else(Problem::internal)?, replayed, wait).await)
    }
}

/// The only decision, unless it is a refusal.
fn made(mut decisions: Vec<Decision>) -> Result<Option<Decided>, Problem> {
    match decisions.pop() {
        Some(Decision::Refused(refusal)) => Err(answer::problem(&refusal)),
        decision => Ok(decision.map(Decided::from)),
    }
}

impl CreateTransaction {
    async fn response(
        &self,
        principal: Principal,
        decided: Decided,
        replayed: Option<bool>,
        wait: Option<Duration>,
    ) -> Response {
        let applied = wait.map(|wait| format!("wait={}", wait.as_secs()));
        match decided {
            Decided::Accepted(transaction) => {
                let settled = match wait {
                    Some(wait) => self.0.waiters.settled(principal.book, transaction.id, wait).await,
                    None => None,
                };
                match settled {
                    Some(settled) => Response::There(reply(&settled), location(&settled), replayed, applied),
                    None => Response::Accepted(reply(&transaction), location(&transaction), replayed, applied),
                }
            }
            Decided::Exists(transaction) => {
                Response::There(reply(&transaction), location(&transaction), replayed, applied)
            }
            Decided::Refused(_) => unreachable!("the refusal of a single transaction is not kept"),
        }
    }
}

fn reply(transaction: &Transaction) -> Reply<TransactionView> {
    Reply::of(&TransactionView::from(transaction))
}

fn location(transaction: &Transaction) -> String {
    format!("/api/v1/transactions/{}", transaction.id)
}
