//! `POST /api/v1/transactions/batch`

use std::time::Duration;

use domain::Error;
use domain::transactions::{self, Transaction};
use futures::future::join_all;
use jobs::record_transaction::Submission;
use jobs::submitted::Submitted;
use ledger::Book;
use poem_openapi::param::Header;
use poem_openapi::{ApiResponse, Object, OpenApi};
use serde::Serialize;
use uuid::Uuid;

use super::answer::{self, Decided, Refused};
use super::new::NewTransaction;
use super::response;
use crate::auth::{Caller, needs};
use crate::body::choice::choice;
use crate::body::list::List;
use crate::body::object::object;
use crate::body::{Body, Shape};
use crate::idempotency::{IdempotencyKey, repeatable};
use crate::prefer::Prefer;
use crate::reply::{Failure, Operation, Refusal, Reply, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::transaction::TransactionView;

pub(crate) struct CreateTransactionBatch(pub(crate) State);

impl Operation for CreateTransactionBatch {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::BODY, refusals::IDEMPOTENT, response::UNAVAILABLE, refusals::ANY];
}

object! {
    /// Many transactions, each of which stands alone.
    pub(crate) struct NewTransactionBatch {
        /// The transactions.
        pub transactions: List<NewTransaction, 1, 1_000>,
    }
    example {
        "transactions": [{
            "type": "deposit",
            "to": "0197a4c2-7c1e-7d3a-9f57-1f6f6d1f2a01",
            "amount": { "amount": "100.00", "currency": "GBP" },
            "reference": "opening-balance-17850"
        }]
    }
}

impl Shape for NewTransactionBatch {
    const IS_BATCH: bool = true;
}

choice! {
    /// What became of one transaction of a batch.
    pub(crate) enum Outcome {
        /// It was saved and its job records it.
        Accepted = "accepted",
        /// It has been there, by its reference, with the same content.
        Exists = "exists",
        /// It was not saved; `problem` tells why.
        Refused = "refused",
    }
}

/// Why one transaction of a batch was refused.
#[derive(Debug, Object, Serialize)]
pub(crate) struct BatchProblem {
    /// The reason as a stable word, as in createTransaction.
    code: String,
    /// The reason for a person.
    detail: String,
    /// The field, as a JSON Pointer into the transaction.
    pointer: String,
    /// The transaction that stands against it.
    existing_id: Option<Uuid>,
}

/// What became of one transaction of a batch.
#[derive(Debug, Object, Serialize)]
pub(crate) struct BatchItem {
    /// Its place in the batch, from 0.
    index: u32,
    /// What became of it.
    outcome: Outcome,
    /// The transaction, unless it was refused.
    transaction: Option<TransactionView>,
    /// Why it was refused.
    problem: Option<BatchProblem>,
}

/// What became of a batch.
#[derive(Debug, Object, Serialize)]
pub(crate) struct BatchResult {
    /// One for each transaction, in the order given.
    items: Vec<BatchItem>,
    /// How many were accepted.
    accepted: u32,
    /// How many were there already.
    exists: u32,
    /// How many were refused.
    refused: u32,
}

#[derive(ApiResponse)]
pub(crate) enum Response {
    /// With `Prefer: wait`: each transaction's outcome, and none of them is pending any more.
    #[oai(status = 200)]
    Settled(
        Reply<BatchResult>,
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
    /// Each transaction's outcome; those that were accepted are saved for good.
    #[oai(status = 202)]
    Accepted(
        Reply<BatchResult>,
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

#[OpenApi(tag = "Tag::Transactions")]
impl CreateTransactionBatch {
    /// Move money many times
    ///
    /// Up to 1,000 transactions, each accepted or refused by itself. A field that is wrong in any of them refuses the whole batch, with a
    /// pointer such as `/transactions/3/amount`.
    #[oai(path = "/api/v1/transactions/batch", method = "post", operation_id = "createTransactionBatch")]
    async fn call(
        &self,
        #[oai(scope = "needs::TRANSACTIONS_WRITE")] caller: Caller,
        /// Makes the request safe to repeat: the same key and body get the same answer.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<IdempotencyKey>>,
        /// `wait=N` holds the answer for up to N seconds (at most 30) until all of them are recorded or rejected.
        #[oai(name = "Prefer")]
        prefer: Header<Option<Prefer>>,
        body: Body<NewTransactionBatch>,
    ) -> Result<Response, Failure<Self>> {
        let transactions = checked(body.value)?;
        let repeatable = repeatable(key.0, "POST /api/v1/transactions/batch", body.fingerprint, answer::keep_all);
        let Caller(principal) = caller;
        let submission = Submission::new(principal, transactions, repeatable);
        let (mut decided, replayed): (Vec<Decided>, _) = match self.0.submitter.submit(submission).await? {
            Submitted::Done(decisions) => (decisions.into_iter().map(Decided::from).collect(), None),
            Submitted::Replayed(kept) => (answer::again(&self.0, &principal, kept).await?, Some(true)),
        };
        let wait = prefer.0.and_then(|Prefer(wait)| wait);
        let is_settled = match wait {
            Some(wait) => self.settle(principal.book, &mut decided, wait).await,
            None => false,
        };
        let (reply, applied) = (Reply::of(&result(decided)), wait.map(|wait| format!("wait={}", wait.as_secs())));
        let vary = "Prefer".to_owned();
        Ok(match is_settled {
            true => Response::Settled(reply, replayed, applied, vary),
            false => Response::Accepted(reply, replayed, applied, vary),
        })
    }
}

impl CreateTransactionBatch {
    /// Waits for those that were accepted, and shows each as far as it has come; whether all of them are at their end.
    async fn settle(&self, book: Book, decided: &mut [Decided], wait: Duration) -> bool {
        let waiting = decided.iter_mut().filter_map(|one| match one {
            Decided::Accepted(transaction) => Some(async move {
                let settled = self.0.waiters.settled(book, transaction.id, wait).await;
                settled.map(|settled| **transaction = settled).is_some()
            }),
            Decided::Exists(_) | Decided::Refused(_) => None,
        });
        join_all(waiting).await.into_iter().all(|is_settled| is_settled)
    }
}

/// The domain's requests, the rules of all of them checked.
fn checked(batch: NewTransactionBatch) -> Result<Vec<transactions::NewTransaction>, Error> {
    let List(transactions) = batch.transactions;
    let transactions: Vec<_> = transactions.into_iter().map(transactions::NewTransaction::from).collect();
    let mut invalid = Vec::new();
    for (index, transaction) in transactions.iter().enumerate() {
        if let Err(error) = transaction.validate() {
            let Error::Invalid(fields) = error else { return Err(error) };
            invalid.extend(fields.into_iter().map(|mut field| {
                field.pointer.insert_str(0, &format!("/transactions/{index}"));
                field
            }));
        }
    }
    if invalid.is_empty() { Ok(transactions) } else { Err(Error::Invalid(invalid)) }
}

fn result(decided: Vec<Decided>) -> BatchResult {
    let items: Vec<BatchItem> = (0..).zip(decided).map(|(index, decided)| item(index, decided)).collect();
    let count = |outcome| items.iter().filter(|item| item.outcome == outcome).map(|_| 1).sum();
    let (accepted, exists, refused) = (count(Outcome::Accepted), count(Outcome::Exists), count(Outcome::Refused));
    BatchResult { items, accepted, exists, refused }
}

fn item(index: u32, decided: Decided) -> BatchItem {
    let there = |outcome, transaction: &Transaction| BatchItem {
        index,
        outcome,
        transaction: Some(TransactionView::from(transaction)),
        problem: None,
    };
    match decided {
        Decided::Accepted(transaction) => there(Outcome::Accepted, &transaction),
        Decided::Exists(transaction) => there(Outcome::Exists, &transaction),
        Decided::Refused(Refused { code, detail, pointer, existing_id }) => {
            let problem = Some(BatchProblem { code, detail, pointer, existing_id });
            BatchItem { index, outcome: Outcome::Refused, transaction: None, problem }
        }
    }
}
