//! From decisions to answers, now and when the request is repeated.
//!
//! What is kept for a repetition is each decision in short: an accepted transaction as its id, a refusal as it was. The
//! answer is made from it again, so a batch of a thousand keeps kilobytes and not megabytes.

use std::collections::HashMap;

use domain::Principal;
use domain::transactions::{Decision, Refusal, Transaction, find_many};
use ledger::TransactionId;
use poem::http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::problem::from_domain::sentence;
use crate::problem::{FieldProblem, Place, Problem};
use crate::state::Shared;

/// A refusal, in words that can be kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Refused {
    pub(crate) code: String,
    pub(crate) detail: String,
    pub(crate) pointer: String,
    pub(crate) existing_id: Option<Uuid>,
}

impl From<&Refusal> for Refused {
    fn from(refusal: &Refusal) -> Refused {
        Refused {
            code: refusal.code.to_owned(),
            detail: sentence(&refusal.detail),
            pointer: refusal.pointer.clone().into_owned(),
            existing_id: refusal.existing.map(|existing| existing.0),
        }
    }
}

/// A decision in short.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kept {
    Accepted(Uuid),
    Exists(Uuid),
    Refused(Refused),
}

impl Kept {
    fn of(decision: &Decision) -> Kept {
        match decision {
            Decision::Accepted(transaction) => Kept::Accepted(transaction.id.0),
            Decision::Exists(transaction) => Kept::Exists(transaction.id.0),
            Decision::Refused(refusal) => Kept::Refused(refusal.into()),
        }
    }

    fn id(&self) -> Option<TransactionId> {
        match self {
            Kept::Accepted(id) | Kept::Exists(id) => Some(TransactionId(*id)),
            Kept::Refused(_) => None,
        }
    }
}

/// A decision, made now or made again from what was kept.
pub(crate) enum Decided {
    Accepted(Box<Transaction>),
    Exists(Box<Transaction>),
    Refused(Refused),
}

impl From<Decision> for Decided {
    fn from(decision: Decision) -> Decided {
        match decision {
            Decision::Accepted(transaction) => Decided::Accepted(Box::new(transaction)),
            Decision::Exists(transaction) => Decided::Exists(Box::new(transaction)),
            Decision::Refused(refusal) => Decided::Refused((&refusal).into()),
        }
    }
}

/// What is kept of a batch: all of it.
pub(crate) fn keep_all(decisions: &[Decision]) -> Option<Value> {
    serde_json::to_value(decisions.iter().map(Kept::of).collect::<Vec<_>>()).ok()
}

/// What is kept of a single transaction: nothing if it was refused, so that it can be sent again once the cause is mended.
pub(crate) fn keep_accepted(decisions: &[Decision]) -> Option<Value> {
    let is_refused = |decision: &Decision| matches!(decision, Decision::Refused(_));
    if decisions.iter().any(is_refused) { None } else { keep_all(decisions) }
}

/// The decisions again, from what was kept of them.
pub(crate) async fn again(state: &Shared, principal: &Principal, kept: Value) -> Result<Vec<Decided>, Problem> {
    let kept: Vec<Kept> = serde_json::from_value(kept).map_err(|error| {
        tracing::error!(%error, "a kept answer cannot be read");
        Problem::internal()
    })?;
    let ids: Vec<TransactionId> = kept.iter().filter_map(Kept::id).collect();
    let found = find_many(&mut *state.connection().await?, principal.book, &ids).await?;
    let found: HashMap<_, _> = found.into_iter().map(|transaction| (transaction.id.0, transaction)).collect();
    let transaction = |id: Uuid| Box::new(found.get(&id).expect("a transaction is never deleted").clone());
    let decided = |kept| match kept {
        Kept::Accepted(id) => Decided::Accepted(Box::new(transaction(id).as_accepted())),
        Kept::Exists(id) => Decided::Exists(transaction(id)),
        Kept::Refused(refused) => Decided::Refused(refused),
    };
    Ok(kept.into_iter().map(decided).collect())
}

/// The problem that tells why a single transaction was refused.
pub(crate) fn problem(refusal: &Refusal) -> Problem {
    refused(refusal, Place::Pointer(refusal.pointer.clone().into_owned()))
}

/// [`problem`] of what follows from the transaction in the path: if there is none, there is no such resource.
pub(crate) fn problem_of_path(refusal: &Refusal) -> Problem {
    match (refusal.code, &*refusal.pointer) {
        ("hold_not_found" | "original_not_found", _) => Problem::not_found(),
        (_, "/hold_id" | "/reverses") => refused(refusal, Place::Parameter("id".to_owned())),
        _ => problem(refusal),
    }
}

fn refused(refusal: &Refusal, at: Place) -> Problem {
    let detail = sentence(&refusal.detail);
    let status = match refusal.code {
        "reference_taken" | "account_not_open" | "account_closed" => StatusCode::CONFLICT,
        "price_changed" | "product_archived" => StatusCode::CONFLICT,
        "already_posted" | "already_voided" | "hold_expired" | "hold_rejected" => StatusCode::CONFLICT,
        "deposit_not_allowed" | "post_not_allowed" | "void_not_allowed" => StatusCode::FORBIDDEN,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let mut problem = Problem::new(status, refusal.code, detail.clone());
    problem = problem.error(FieldProblem { at, code: refusal.code, detail });
    if refusal.code == "account_not_open" {
        problem = problem.header(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    match refusal.existing {
        Some(existing) => problem.extension("existing_id", existing.0.to_string()),
        None => problem,
    }
}
