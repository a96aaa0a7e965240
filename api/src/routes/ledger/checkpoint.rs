//! `GET /api/v1/ledger/checkpoint`

use poem_openapi::payload::PlainText;
use poem_openapi::{ApiResponse, OpenApi};

use super::signed::{BY_CALLER, FOR_A_MOMENT, UNSIGNED, last};
use crate::auth::{Caller, needs};
use crate::found::KnownTags;
use crate::reply::{Failure, Operation, Refusal, refusals, tag_of};
use crate::routes::Tag;
use crate::state::State;

pub(crate) struct GetCheckpoint(pub(crate) State);

impl Operation for GetCheckpoint {
    const REFUSALS: &'static [&'static [Refusal]] = &[refusals::SIGNED_IN, UNSIGNED, refusals::ANY];
}

/// The last checkpoint, or that the caller has it.
#[derive(ApiResponse)]
pub(crate) enum Last {
    /// The signed note: origin, count of leaves, root, an empty line, signatures.
    #[oai(status = 200)]
    Note(
        PlainText<String>,
        /// Changes with each checkpoint.
        #[oai(header = "ETag")]
        String,
        /// There may be a new one in a second.
        #[oai(header = "Cache-Control")]
        String,
        /// It is the one of the caller's book.
        #[oai(header = "Vary")]
        String,
    ),
    /// The last checkpoint is still what the request's `If-None-Match` names.
    #[oai(status = 304)]
    NotModified(
        /// The tag it still has.
        #[oai(header = "ETag")]
        String,
        /// There may be a new one in a second.
        #[oai(header = "Cache-Control")]
        String,
        /// It is the one of the caller's book.
        #[oai(header = "Vary")]
        String,
    ),
}

impl Last {
    /// The note, unless it is among what the caller has.
    pub(super) fn of(note: String, known: &KnownTags) -> Last {
        let tag = tag_of(note.as_bytes());
        let (kept, by) = (FOR_A_MOMENT.to_owned(), BY_CALLER.to_owned());
        match known.contains(&tag) {
            true => Last::NotModified(tag, kept, by),
            false => Last::Note(PlainText(note), tag, kept, by),
        }
    }
}

#[OpenApi(tag = "Tag::Ledger")]
impl GetCheckpoint {
    /// Get the last checkpoint of the log
    ///
    /// A C2SP tlog-checkpoint, such as `bitnexus.example/main`, `700`, the root in base64, an empty line and a line for each
    /// signature. There is a new one at most a second after a transaction was recorded, and each continues the one before.
    #[oai(path = "/api/v1/ledger/checkpoint", method = "get", operation_id = "getCheckpoint")]
    async fn call(
        &self,
        #[oai(scope = "needs::LEDGER_READ")] caller: Caller,
        known: KnownTags,
    ) -> Result<Last, Failure<Self>> {
        let last = last(&mut *self.0.connection().await?, caller.0.book).await?;
        Ok(Last::of(last.note, &known))
    }
}
