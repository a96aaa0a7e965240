//! The answer to a request for one transaction, whatever it is for: submit it, and wait for the ledger if that is preferred.

use std::time::Duration;

use domain::Principal;
use domain::transactions::{Decision, NewTransaction, Refusal as Refused, Transaction};
use jobs::record_transaction::Submission;
use jobs::submitted::Submitted;
use ledger::TransactionId;
use poem_openapi::ApiResponse;
use sha2::{Digest, Sha256};

use super::answer::{self, Decided};
use crate::idempotency::{IdempotencyKey, repeatable};
use crate::prefer::Prefer;
use crate::problem::Problem;
use crate::reply::{Refusal, Reply};
use crate::state::Shared;
use crate::views::transaction::TransactionView;

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
        /// What the answer depends on besides its address.
        #[oai(header = "Vary")]
        String,
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
        /// What the answer depends on besides its address.
        #[oai(header = "Vary")]
        String,
    ),
}

/// When the group that a request is written with cannot be committed.
pub(super) const UNAVAILABLE: &[Refusal] =
    &[Refusal { status: 503, code: "unavailable", when: "Whether it was saved is not known; repeating it is safe." }];

/// Another transaction of the caller has the reference.
pub(super) const REFERENCE: &[Refusal] =
    &[Refusal { status: 409, code: "reference_taken", when: "`existing_id` has this reference and other content." }];

/// A part of an earlier transaction is asked for.
pub(super) const PART: &[Refusal] = &[
    Refusal { status: 422, code: "part_of_many_legs", when: "A transaction of many legs is taken whole." },
    Refusal { status: 422, code: "currency_mismatch", when: "The account or the transaction is in another currency." },
];

/// One request for a transaction.
pub(super) struct Request {
    pub(super) principal: Principal,
    pub(super) new: NewTransaction,
    /// The operation, as keys remember it.
    pub(super) route: &'static str,
    pub(super) key: Option<IdempotencyKey>,
    pub(super) fingerprint: [u8; 32],
    pub(super) prefer: Option<Prefer>,
}

impl Request {
    /// Saves it, unless it is refused, and answers.
    pub(super) async fn answer(
        self,
        state: &Shared,
        refused: impl Fn(&Refused) -> Problem,
    ) -> Result<Response, Problem> {
        let Request { principal, new, route, key, fingerprint, prefer } = self;
        new.validate()?;
        let repeatable = repeatable(key, route, fingerprint, answer::keep_accepted);
        let submission = Submission::new(principal, vec![new], repeatable);
        let (decided, replayed) = match state.submitter.submit(submission).await? {
            Submitted::Done(mut decisions) => match decisions.pop() {
                Some(Decision::Refused(refusal)) => return Err(refused(&refusal)),
                decision => (decision.map(Decided::from), None),
            },
            Submitted::Replayed(kept) => (answer::again(state, &principal, kept).await?.pop(), Some(true)),
        };
        if let Some(Decided::Accepted(transaction) | Decided::Exists(transaction)) = &decided {
            tracing::Span::current().record("transaction_id", tracing::field::display(transaction.id));
        }
        let wait = prefer.and_then(|Prefer(wait)| wait);
        Ok(response(state, principal, decided.ok_or_else(Problem::internal)?, replayed, wait).await)
    }
}

/// The fingerprint of a body that was sent to what is under a transaction: another one is another request.
pub(super) fn fingerprint(body: [u8; 32], id: TransactionId) -> [u8; 32] {
    Sha256::new().chain_update(id.0.as_bytes()).chain_update(body).finalize().into()
}

async fn response(
    state: &Shared,
    principal: Principal,
    decided: Decided,
    replayed: Option<bool>,
    wait: Option<Duration>,
) -> Response {
    let applied = wait.map(|wait| format!("wait={}", wait.as_secs()));
    let vary = "Prefer".to_owned();
    match decided {
        Decided::Accepted(transaction) => {
            let settled = match wait {
                Some(wait) => state.waiters.settled(principal.book, transaction.id, wait).await,
                None => None,
            };
            match settled {
                Some(settled) => Response::There(reply(&settled), location(&settled), replayed, applied, vary),
                None => Response::Accepted(reply(&transaction), location(&transaction), replayed, applied, vary),
            }
        }
        Decided::Exists(transaction) => {
            Response::There(reply(&transaction), location(&transaction), replayed, applied, vary)
        }
        Decided::Refused(_) => unreachable!("the refusal of a single transaction is not kept"),
    }
}

fn reply(transaction: &Transaction) -> Reply<TransactionView> {
    Reply::of(&TransactionView::from(transaction))
}

fn location(transaction: &Transaction) -> String {
    format!("/api/v1/transactions/{}", transaction.id)
}
