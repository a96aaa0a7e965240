//! `POST /api/v1/imports`

use domain::imports::header::Start;
use domain::imports::upload::{self, Complete, NewUpload};
use domain::imports::{Format, Kind};
use domain::{Principal, UserId};
use jobs::import::{self, Asked};
use jobs::submitted::Submitted;
use poem::http::StatusCode;
use poem_openapi::OpenApi;
use poem_openapi::param::{Header, Query};
use queue::trace;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::accepted::Accepted;
use crate::auth::{Caller, needs};
use crate::body::text::Id;
use crate::body::upload::Upload;
use crate::idempotency::{IdempotencyKey, repeatable};
use crate::problem::Problem;
use crate::problem::from_domain::sentence;
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::spool;
use crate::state::State;
use crate::views::import::ImportKind;

pub(crate) struct CreateImport(pub(crate) State);

impl Operation for CreateImport {
    const REFUSALS: &'static [&'static [Refusal]] = &[
        refusals::SIGNED_IN,
        refusals::PARAMETERS,
        &[
            Refusal {
                status: 415,
                code: "unsupported_media_type",
                when: "The body is neither declared as text/csv nor as application/x-ndjson.",
            },
            Refusal { status: 413, code: "body_too_large", when: "The file is longer than 100 MiB." },
            Refusal { status: 409, code: "too_many_imports", when: "Ten imports of the caller are under way." },
            Refusal { status: 409, code: "owner_not_found", when: "There is no user of this `owner_id`." },
            Refusal { status: 408, code: "body_timeout", when: "The file arrived at less than 64 KiB a second." },
            Refusal { status: 400, code: "body_incomplete", when: "The body ended early." },
            Refusal {
                status: 422,
                code: "malformed_header",
                when: "The first line does not name the columns; `detail` says what is wrong.",
            },
        ],
        refusals::IDEMPOTENT,
        refusals::ANY,
    ];
}

#[OpenApi(tag = "Tag::Imports")]
impl CreateImport {
    /// Import users or products
    ///
    /// Takes a file of up to 100 MiB and answers when all of it is saved; a job, whose id is also the import's, deals with its rows. A
    /// file that does not arrive whole leaves nothing.
    ///
    /// `products` have the columns `sku`, `name`, `price` and `currency`, and may have `description` and `category` (the name of one; the
    /// rules choose it if absent). `users`, which take the scope `users:admin`, have `email` and `name`, and may have `country`, `role`
    /// (`user` if absent) and `currencies` (`GBP;EUR` in a CSV, a list in JSON lines; GBP if absent). The columns of a CSV stand in its first
    /// line, in any order. An empty cell is an absent field.
    ///
    /// A row whose `sku` or `email` is taken changes nothing; one that breaks a rule is refused; the others are created. Which and why is
    /// in the import's errors.
    #[oai(path = "/api/v1/imports", method = "post", operation_id = "createImport")]
    async fn call(
        &self,
        #[oai(scope = "needs::PRODUCTS_WRITE")] caller: Caller,
        /// What the rows are.
        kind: Query<ImportKind>,
        /// Whose the products become, if not the caller's; takes the role `admin`.
        owner_id: Query<Option<Id>>,
        /// Makes the request safe to repeat: the same key, file and parameters get the same answer.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<IdempotencyKey>>,
        file: Upload,
    ) -> Result<Accepted, Failure<Self>> {
        let kind = Kind::parse(kind.0.word()).expect("the API has the domain's words");
        let new = NewUpload { kind, format: file.format, owner: owner_id.0.map(|Id(owner)| UserId(owner)) };
        let work = receive(self.0.clone(), caller.0, new, file, key.0);
        // On a task of its own: a client that goes away ends this call, and what arrived is still to be removed.
        let submitted = tokio::spawn(trace::carry(work)).await.map_err(|_| Problem::internal())??;
        Ok(match submitted {
            Submitted::Done(asked) => Accepted::of(asked.id, false),
            Submitted::Replayed(kept) => Accepted::kept(&kept),
        })
    }
}

/// Takes in the file and submits it; what goes wrong leaves nothing of it.
async fn receive(
    state: State,
    caller: Principal,
    new: NewUpload,
    mut file: Upload,
    key: Option<IdempotencyKey>,
) -> Result<Submitted<Asked>, Problem> {
    let upload = upload::begin(&mut *state.connection().await?, &caller, new).await?;
    let submitted = async {
        let complete = save(&state, upload, new, &mut file).await?;
        let repeatable = repeatable(key, "POST /api/v1/imports", fingerprint(&complete, new), kept);
        let what = (new.kind, upload, &complete);
        Ok(import::submit(&state.pool, &state.notifier, &caller, what, repeatable.as_ref()).await?)
    };
    let submitted: Result<_, Problem> = submitted.await;
    if submitted.is_err() {
        spool::discard(&state, upload).await;
    }
    submitted
}

/// Writes the file as it arrives, once its header was read.
async fn save(state: &State, upload: upload::Upload, new: NewUpload, file: &mut Upload) -> Result<Complete, Problem> {
    let (mut hash, mut start) = (Sha256::new(), None);
    let look = |piece: &[u8]| {
        if start.is_none() {
            start = Some(read_start(new, piece)?);
        }
        hash.update(piece);
        Ok(())
    };
    let bytes = spool::save(state, upload, file, look).await?;
    let start = start.map_or_else(|| read_start(new, &[]), Ok)?;
    Ok(Complete { bytes, sha256: hash.finalize().into(), start })
}

/// The header, before anything is written; an empty file has none.
fn read_start(new: NewUpload, piece: &[u8]) -> Result<Start, Problem> {
    let start = if piece.is_empty() && new.format == Format::JsonLines {
        Err("the file is empty".to_owned())
    } else {
        Start::read(new.kind, new.format, piece)
    };
    start.map_err(|detail| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "malformed_header", sentence(&detail)))
}

/// Of the file and of what the parameters say about it.
fn fingerprint(file: &Complete, new: NewUpload) -> [u8; 32] {
    let owner = new.owner.map(|owner| owner.to_string()).unwrap_or_default();
    let about = format!("{} {} {owner} ", new.kind.as_str(), new.format.as_str());
    Sha256::new().chain_update(about).chain_update(file.sha256).finalize().into()
}

#[expect(clippy::unnecessary_wraps, reason = "an operation may keep nothing")]
fn kept(asked: &Asked) -> Option<Value> {
    Some(json!({ "job_id": asked.id }))
}
