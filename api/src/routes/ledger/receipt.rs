//! `GET /api/v1/ledger/receipts/{id}`

use domain::{Principal, transactions};
use ledger::TransactionId;
use ledger::receipt::{self, MakeError};
use poem::http::StatusCode;
use poem_openapi::param::Path;
use poem_openapi::payload::PlainText;
use poem_openapi::{ApiResponse, OpenApi};
use sqlx::PgConnection;

use super::signed::{BY_CALLER, FOR_EVER, TOO_EARLY, not_signed_yet, not_witnessed_yet};
use crate::auth::{Caller, needs};
use crate::body::text::Id;
use crate::problem::Problem;
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;

pub(crate) struct GetReceipt(pub(crate) State);

/// What the ledger does not have.
pub(super) const UNRECORDED: &[Refusal] = &[Refusal {
    status: 409,
    code: "not_recorded",
    when: "The ledger has not recorded the transaction: it is pending, or was rejected.",
}];

impl Operation for GetReceipt {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ONE, UNRECORDED, TOO_EARLY, refusals::ANY];
}

/// A receipt.
#[derive(ApiResponse)]
pub(crate) enum Receipt {
    /// The receipt: first line, index, hashes, an empty line, the checkpoint.
    #[oai(status = 200)]
    Text(
        PlainText<String>,
        /// It never changes.
        #[oai(header = "Cache-Control")]
        String,
        /// It is for whoever may see the transaction.
        #[oai(header = "Vary")]
        String,
    ),
}

#[OpenApi(tag = "Tag::Ledger")]
impl GetReceipt {
    /// Get the receipt of a transaction
    ///
    /// A C2SP tlog-proof: it proves offline, together with the leaf and the log's public key, that the transaction is in the
    /// log under the first checkpoint that covers it. A caller of the role `user` gets those of its own transactions.
    #[oai(path = "/api/v1/ledger/receipts/:id", method = "get", operation_id = "getReceipt")]
    async fn call(
        &self,
        #[oai(scope = "needs::LEDGER_READ")] caller: Caller,
        /// The transaction.
        id: Path<Id>,
    ) -> Result<Receipt, Failure<Self>> {
        let (mut connection, id) = (self.0.connection().await?, TransactionId(id.0.0));
        let is_known = may_see(&mut connection, &caller.0, id).await?;
        let receipt = receipt::make(&mut connection, caller.0.book, id).await;
        let receipt = receipt.map_err(|error| refused(error, is_known))?;
        Ok(Receipt::Text(PlainText(receipt.to_text()), FOR_EVER.to_owned(), BY_CALLER.to_owned()))
    }
}

/// Refuses whoever may not see the transaction; says whether it is one that came through the API. Staff also sees what is
/// in the ledger alone.
pub(super) async fn may_see(conn: &mut PgConnection, caller: &Principal, id: TransactionId) -> Result<bool, Problem> {
    match transactions::find(conn, caller, id).await {
        Ok(_) => Ok(true),
        Err(domain::Error::NotFound) if caller.is_staff() => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The ledger has no such transaction.
pub(super) fn not_recorded(is_known: bool) -> Problem {
    let detail = "The ledger has not recorded this transaction: it is pending, or was rejected.";
    if is_known { Problem::new(StatusCode::CONFLICT, "not_recorded", detail) } else { Problem::not_found() }
}

/// Why there is no receipt.
pub(super) fn refused(error: MakeError, is_known: bool) -> Problem {
    match error {
        MakeError::Database(error) => error.into(),
        MakeError::NotFound => not_recorded(is_known),
        MakeError::NotSigned => not_signed_yet("The transaction is recorded, and the next checkpoint will cover it."),
        MakeError::NotWitnessed => {
            not_witnessed_yet("No checkpoint that covers the transaction has the signatures of so many witnesses yet.")
        }
        MakeError::Damaged => {
            tracing::error!(%error, "no receipt can be made");
            Problem::internal()
        }
    }
}
