//! What the operations of the log share: how far it is signed, what may be kept for how long, and their refusals.

use domain::Principal;
use ledger::checkpoint::{self, Checkpoint};
use ledger::log::LogError;
use ledger::merkle::path::{TileKind, TilePath};
use poem::http::{HeaderValue, StatusCode, header};
use poem_openapi::ApiResponse;
use poem_openapi::payload::{Binary, PlainText};
use sqlx::PgConnection;

use crate::body::integer::Integer;
use crate::found::KnownTags;
use crate::problem::Problem;
use crate::problem::from_domain::sentence;
use crate::reply::{Refusal, tag_of};

/// For what never changes. One address shows each book's callers their own log, so only they may keep it.
pub(super) const FOR_EVER: &str = "private, max-age=31536000, immutable";

/// For the last checkpoint: there is a new one each second.
pub(super) const FOR_A_MOMENT: &str = "private, max-age=1";

/// What an answer depends on besides its address.
pub(super) const BY_CALLER: &str = "Authorization";

/// Where there is no checkpoint yet.
pub(super) const UNSIGNED: &[Refusal] =
    &[Refusal { status: 404, code: "no_checkpoint", when: "Nothing is signed yet: the log has no checkpoint." }];

/// Where too few witnesses have signed.
pub(super) const UNWITNESSED: &[Refusal] = &[Refusal {
    status: 404,
    code: "not_witnessed_yet",
    when: "No checkpoint that would do has the signatures of so many witnesses yet.",
}];

/// How many witnesses are to have signed.
pub(super) type Witnesses = Integer<1, 100>;

/// As many as the caller wants, or one.
pub(super) fn at_least(witnesses: Option<Witnesses>) -> u32 {
    witnesses.map_or(1, |Integer(wanted)| u32::try_from(wanted).expect("it is at most 100"))
}

/// So many witnesses have not signed.
pub(super) fn not_witnessed_yet(detail: &'static str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_witnessed_yet", detail)
}

/// What is recorded and not signed yet.
pub(super) const TOO_EARLY: &[Refusal] = &[Refusal {
    status: 409,
    code: "not_signed_yet",
    when: "The last checkpoint does not cover that yet; try again after Retry-After.",
}];

/// Paths of tiles.
pub(super) const TILES: &[Refusal] = &[
    Refusal { status: 400, code: "malformed_path", when: "This is not the path of a tile." },
    Refusal { status: 404, code: "no_such_tile", when: "The last checkpoint does not cover all of this tile." },
];

/// Bytes that stay as they are for ever.
#[derive(ApiResponse)]
pub(super) enum Immutable {
    /// The bytes.
    #[oai(status = 200)]
    Bytes(
        Binary<Vec<u8>>,
        /// They never change.
        #[oai(header = "Cache-Control")]
        String,
        /// They are those of the caller's book.
        #[oai(header = "Vary")]
        String,
    ),
}

impl Immutable {
    pub(super) fn of(bytes: Vec<u8>) -> Immutable {
        Immutable::Bytes(Binary(bytes), FOR_EVER.to_owned(), BY_CALLER.to_owned())
    }
}

/// A text that there may soon be a newer one of, or that the caller has it.
#[derive(ApiResponse)]
pub(crate) enum Newest {
    /// The text. It ends with a signed note: origin, count of leaves, root, an empty line, signatures.
    #[oai(status = 200)]
    Text(
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
    /// It is still what the request's `If-None-Match` names.
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

impl Newest {
    /// The text, unless it is among what the caller has.
    pub(super) fn of(text: String, known: &KnownTags) -> Newest {
        let tag = tag_of(text.as_bytes());
        let (kept, by) = (FOR_A_MOMENT.to_owned(), BY_CALLER.to_owned());
        match known.contains(&tag) {
            true => Newest::NotModified(tag, kept, by),
            false => Newest::Text(PlainText(text), tag, kept, by),
        }
    }
}

/// The last checkpoint.
pub(super) async fn last(conn: &mut PgConnection, book: ledger::Book) -> Result<Checkpoint, Problem> {
    let detail = "Nothing is signed yet: the log has no checkpoint.";
    let last = checkpoint::latest(conn, book).await?;
    last.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "no_checkpoint", detail))
}

/// Reads a tile of the caller's book, if the last checkpoint covers it; entries are for staff.
pub(super) async fn tile(conn: &mut PgConnection, caller: &Principal, path: &str) -> Result<Immutable, Problem> {
    // Clients that are made of the document write a slash within a parameter so.
    let path = TilePath::parse(&path.replace("%2F", "/").replace("%2f", "/"))
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "malformed_path", sentence(&error.to_string())))?;
    if path.kind == TileKind::Entries && !caller.is_staff() {
        return Err(Problem::forbidden("Entries take the role admin or operator; receipts show your own."));
    }
    let size = last(conn, caller.book).await?.size as u64;
    if !path.is_within(size) {
        let detail = format!("The last checkpoint covers {size} leaves, which is not all of {path}.");
        return Err(Problem::new(StatusCode::NOT_FOUND, "no_such_tile", detail));
    }
    Ok(Immutable::of(ledger::log::tile(conn, caller.book, path).await.map_err(damaged)?))
}

/// What is asked for is more than is signed.
pub(super) fn not_signed_yet(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::CONFLICT, "not_signed_yet", detail.into())
        .header(header::RETRY_AFTER, HeaderValue::from_static("1"))
}

/// The log lacks or contradicts what is signed: a defect or an intruder, and nothing that the caller could mend.
pub(super) fn damaged(error: LogError) -> Problem {
    match error {
        LogError::Database(error) => error.into(),
        error @ (LogError::Missing | LogError::Damaged) => {
            tracing::error!(%error, "the log does not have what is signed");
            Problem::internal()
        }
    }
}
