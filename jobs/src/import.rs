//! What `accounts.import` and `products.import` share: a file is read piece by piece, its rows are written in batches, and
//! each batch is a step of the job: rows, counts and the place in the file commit together, so that a run that is killed
//! neither loses a row nor does one twice.

use std::time::Duration;

use domain::imports::frames::{Frame, Frames};
use domain::imports::header::Start;
use domain::imports::upload::{self, Complete, Upload};
use domain::imports::{self, Batch, Importer, Kind, Place, Source, Tally};
use domain::{Error, Principal, audit};
use queue::{Job, JobContext, JobError, NewJob, Notifier};
use serde::Serialize;
use sqlx::PgPool;
use tokio::time::Instant;
use uuid::Uuid;

use crate::import_products::ImportProducts;
use crate::import_users::ImportUsers;
use crate::open_wallets::OpenWallets;
use crate::submitted::{self, Repeatable, Submitted};

/// Rows in a batch.
const BATCH_ROWS: usize = 1_000;
/// The most bytes of a batch's rows, so that long rows do not fill the memory.
const BATCH_BYTES: i64 = 1 << 20;
/// Progress is told so often; the counts of the import itself move with each batch.
const TELL_GAP: Duration = Duration::from_secs(1);

/// How long an import goes on after somebody asked for its end: to the end of its batch.
pub(crate) const CANCEL_GRACE: Duration = Duration::from_secs(10);

/// A file that was taken in; the import and the job have this id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The import, and the job.
    pub id: Uuid,
}

/// How far an import is.
#[derive(Debug, Serialize)]
struct Progress {
    #[serde(flatten)]
    tally: Tally,
    /// Up to where the file was dealt with.
    bytes_done: i64,
    /// The length of the file.
    bytes: i64,
}

/// Makes an uploaded file an import and enqueues its job, in one commit. An upload that repeats an earlier one is removed.
///
/// # Errors
/// As [`upload::complete`]; [`Error::IdempotencyMismatch`].
pub async fn submit(
    pool: &PgPool,
    notifier: &Notifier,
    principal: &Principal,
    (kind, upload, file): (Kind, Upload, &Complete),
    repeatable: Option<&Repeatable<Asked>>,
) -> Result<Submitted<Asked>, Error> {
    let mut tx = pool.begin().await?;
    if let Some(kept) = submitted::begin(&mut tx, principal, repeatable).await? {
        upload::discard(&mut tx, upload).await?;
        tx.commit().await?;
        return Ok(Submitted::Replayed(kept));
    }
    upload::complete(&mut tx, upload, file).await?;
    if kind == Kind::Users {
        let detail = serde_json::json!({ "bytes": file.bytes });
        audit::record(&mut tx, principal, "user.import", &upload.id.to_string(), detail).await?;
    }
    let shard = principal.book.shard;
    let (job, queue) = match kind {
        Kind::Users => (NewJob::of(&ImportUsers { shard }), ImportUsers::QUEUE),
        Kind::Products => (NewJob::of(&ImportProducts { shard }), ImportProducts::QUEUE),
    };
    let job = job.expect("the payload is plain data").id(upload.id).actor(principal.user_id.to_string());
    queue::enqueue(&mut tx, &[job]).await.map_err(crate::record_transaction::enqueue_error)?;
    let asked = Asked { id: upload.id };
    submitted::finish(&mut tx, principal, repeatable, &asked).await?;
    tx.commit().await?;
    notifier.wake(queue);
    Ok(Submitted::Done(asked))
}

/// Deals with what is left of the file of the job's import.
pub(crate) async fn run(ctx: &mut JobContext<'_>, shard: i16) -> Result<(), JobError> {
    let id = ctx.id();
    let source = imports::source(ctx.tx().await?, shard, id).await?;
    let source = source.ok_or_else(|| JobError::discard("there is no such import any more"))?;
    let first = Place { byte: source.begins_at, line: Start::line(source.format), rows: 0 };
    let place = ctx.cursor().await?.unwrap_or(first);
    let mut run = Run {
        frames: Frames::at(source.format, place.byte, place.line),
        read_to: place.byte,
        batch: Importer::of(&source),
        tally: source.tally,
        told: None,
        place,
        source: &source,
    };
    while !run.fill(ctx).await? {
        run.commit(ctx).await?;
    }
    run.write(ctx).await?;
    if !imports::finish(ctx.tx().await?, &source).await? {
        return Err(stopped());
    }
    ctx.set_result(&run.tally)
}

/// A run over one file.
struct Run<'a> {
    source: &'a Source,
    frames: Frames,
    /// Up to where the file was read.
    read_to: i64,
    batch: Importer<'a>,
    /// Where the row after the batch begins.
    place: Place,
    tally: Tally,
    told: Option<Instant>,
}

impl Run<'_> {
    /// Reads rows until the batch is full; true at the end of the file.
    async fn fill(&mut self, ctx: &mut JobContext<'_>) -> Result<bool, JobError> {
        let began_at = self.place.byte;
        while self.batch.len() < BATCH_ROWS && self.place.byte - began_at < BATCH_BYTES {
            match self.frames.next() {
                Frame::Row { line, bytes } => {
                    self.batch.add(self.place.rows + 1, line, bytes);
                    let (byte, line) = self.frames.place();
                    self.place = Place { byte, line, rows: self.place.rows + 1 };
                }
                Frame::Part => match imports::chunk(ctx.tx().await?, self.source, self.read_to).await? {
                    Some(piece) => {
                        self.read_to += i64::try_from(piece.len()).expect("a piece is small");
                        self.frames.push(&piece);
                    }
                    None => self.frames.complete(),
                },
                Frame::End => return Ok(true),
            }
        }
        Ok(false)
    }

    /// Writes the batch in the job's transaction.
    async fn write(&mut self, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let applied = self.batch.apply(ctx.tx().await?).await?;
        let batch = Batch { applied: &applied, place: self.place };
        if !imports::advance(ctx.tx().await?, self.source, &batch).await? {
            return Err(stopped());
        }
        if !applied.users.is_empty() {
            let wallets = OpenWallets::of_many(self.source.book, &applied.users);
            let wallets = NewJob::of(&wallets).expect("a batch of ids is short");
            let actor = ctx.actor().unwrap_or_default().to_owned();
            ctx.enqueue(wallets.actor(actor)).await?;
        }
        self.tally += applied.tally;
        Ok(())
    }

    /// Writes the batch, commits it as a step, and stops here if somebody asked for the end.
    async fn commit(&mut self, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
        self.write(ctx).await?;
        ctx.commit_step(&self.place).await?;
        if ctx.is_cancelled() {
            imports::stop(ctx.tx().await?, self.source.book.shard, self.source.id).await?;
            ctx.commit_step(&self.place).await?;
            return Err(JobError::cancel("somebody asked for the end of the import"));
        }
        if self.told.is_none_or(|told| told.elapsed() >= TELL_GAP) {
            self.told = Some(Instant::now());
            let (bytes_done, bytes) = (self.place.byte, self.source.bytes);
            ctx.progress(&Progress { tally: self.tally, bytes_done, bytes }).await?;
        }
        Ok(())
    }
}

/// The import was stopped while its job ran, as when its owner is erased.
fn stopped() -> JobError {
    JobError::cancel("the import was stopped")
}
