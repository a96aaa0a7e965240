//! A run from its first check to its report: a list of steps, each done page by page.

use std::time::Duration;

use domain::reconciliation::r12_carried::carry;
use domain::reconciliation::report::{self, Summary};
use domain::reconciliation::{
    Window, keep, r07_requests, r08_contents, r09_clearing, r10_statements, r11_wallets, r12_carried, runs, severity,
};
use ledger::Book;
use ledger::keyring;
use ledger::keys::VerifierKey;
use ledger::reconcile::{self, Check, Page, Place, of_verification};
use ledger::verify::verify;
use queue::JobError;
use serde::{Deserialize, Serialize};
use sqlx::{Connection, PgConnection, PgPool};
use tokio::time::Instant;
use uuid::Uuid;

use super::{pending, repair};
use crate::mirror::{self, Mirror};

/// How often a step that takes long says that it lives.
const BEAT: Duration = Duration::from_secs(5);

/// What is to be run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Task<'a> {
    pub(super) book: Book,
    pub(super) run: Uuid,
    pub(super) is_full: bool,
    pub(super) repair: bool,
    /// The Erlang ledger, and where connections are from that have no snapshot.
    pub(super) mirror: Option<(&'a Mirror, &'a PgPool)>,
}

/// Where a run goes on: committed with each page.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cursor {
    step: usize,
    place: Option<Place>,
    /// The tree's right edge at the run's size, once the log was read to its end.
    frontier: Option<Vec<u8>>,
    /// Findings that were not kept, so far.
    left_out: u64,
}

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// The check that is being done.
    pub step: String,
    /// Its place among the steps, from 1.
    pub number: usize,
    /// How many steps there are.
    pub steps: usize,
    /// Rows that this step has looked at, since it was begun or resumed.
    pub scanned: u64,
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Done {
    /// The report's end.
    pub(super) summary: Summary,
    /// How long this attempt took.
    pub(super) took: Duration,
}

/// Where a run's findings and its place are kept: the steps of a job, or a connection of the command line's.
pub(super) trait Keep: Send {
    /// Where to go on; none at the beginning.
    fn cursor(&mut self) -> impl Future<Output = Result<Option<Cursor>, JobError>> + Send;
    /// The transaction that the current page writes in.
    fn tx(&mut self) -> impl Future<Output = Result<&mut PgConnection, JobError>> + Send;
    /// Ends a page: what was written, and where the next one begins.
    fn commit(&mut self, cursor: &Cursor) -> impl Future<Output = Result<(), JobError>> + Send;
    /// Tells how far the run is.
    fn tell(&mut self, progress: &Progress) -> impl Future<Output = Result<(), JobError>> + Send;
    /// Says that the run gets on.
    fn beat(&mut self) -> impl Future<Output = Result<(), JobError>> + Send;
}

/// The steps, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// One of the ledger's own checks.
    Ledger(Check),
    /// All of the ledger derived again from its leaves; a full run's.
    Verify,
    Requests,
    Contents,
    Clearing,
    Wallets,
    Statements,
    Mirror,
    Carried,
    Repair,
    Report,
}

const STEPS: [Step; 18] = [
    Step::Ledger(Check::Balanced),
    Step::Ledger(Check::Balances),
    Step::Ledger(Check::Chain),
    Step::Ledger(Check::Holds),
    Step::Ledger(Check::Bounds),
    Step::Ledger(Check::Log),
    Step::Ledger(Check::Ids),
    Step::Ledger(Check::Rows),
    Step::Verify,
    Step::Requests,
    Step::Contents,
    Step::Clearing,
    Step::Wallets,
    Step::Statements,
    Step::Mirror,
    Step::Carried,
    Step::Repair,
    Step::Report,
];

impl Step {
    fn name(self) -> &'static str {
        match self {
            Step::Ledger(check) => check.class().as_str(),
            Step::Verify => "verify",
            Step::Requests => "R7",
            Step::Contents => "R8 requests",
            Step::Clearing => "R9",
            Step::Wallets => "R11 wallets",
            Step::Statements => "R10",
            Step::Mirror => "R10 mirror",
            Step::Carried => "R12",
            Step::Repair => "repair",
            Step::Report => "report",
        }
    }
}

/// Runs what is left of a run; none if all of it was done by an earlier attempt. `reader` holds the snapshot, `verifier` is
/// a second connection, which a full run needs.
pub(super) async fn run(
    task: &Task<'_>,
    reader: &mut PgConnection,
    mut verifier: Option<&mut PgConnection>,
    keep: &mut impl Keep,
) -> Result<Option<Done>, JobError> {
    let began = Instant::now();
    let mut cursor = keep.cursor().await?.unwrap_or_default();
    if cursor.step >= STEPS.len() {
        return Ok(None);
    }
    let mut snapshot = reader.begin_with("begin transaction isolation level repeatable read, read only").await?;
    let head = reconcile::head(&mut snapshot, task.book).await?;
    let head = head.ok_or_else(|| JobError::discard(format!("there is no book {}", task.book)))?;
    let window = runs::begin(keep.tx().await?, task.book, task.run, &head).await?;
    keep.commit(&cursor).await?;
    let (mut scanned, mut summary) = (0, None);
    while let Some(step) = STEPS.get(cursor.step).copied() {
        let progress = Progress { step: step.name().to_owned(), number: cursor.step + 1, steps: STEPS.len(), scanned };
        keep.tell(&progress).await?;
        let mut run = Running { task, window: &window, cursor: &mut cursor, summary: &mut summary };
        let page = match step {
            Step::Verify => run.verify(verifier.as_deref_mut(), keep).await?,
            step => run.page(step, &mut snapshot, keep).await?,
        };
        let is_over = page.next.is_none();
        scanned = if is_over { 0 } else { scanned + page.scanned };
        run.keep(step, page, keep).await?;
        keep.commit(&cursor).await?;
    }
    snapshot.rollback().await?;
    let summary = summary.expect("the report is the last step");
    Ok(Some(Done { summary, took: began.elapsed() }))
}

/// A run in its current step.
struct Running<'a> {
    task: &'a Task<'a>,
    window: &'a Window,
    cursor: &'a mut Cursor,
    summary: &'a mut Option<Summary>,
}

impl Running<'_> {
    /// Does one page of a step.
    async fn page(&mut self, step: Step, snapshot: &mut PgConnection, keep: &mut impl Keep) -> Result<Page, JobError> {
        let (place, window) = (self.cursor.place.take(), self.window);
        Ok(match step {
            Step::Ledger(check) => check.page(snapshot, &window.ledger, place).await?,
            Step::Requests => {
                let (mut page, waiting) = r07_requests::page(snapshot, window, place).await?;
                page.found.extend(pending::judge(snapshot, window.ledger.book.shard, &waiting).await?);
                page
            }
            Step::Contents => r08_contents::page(snapshot, window, place).await?,
            Step::Clearing => r09_clearing::page(snapshot, window).await?,
            Step::Wallets => r11_wallets::page(snapshot, window).await?,
            Step::Statements => self.statements(place, keep).await?,
            Step::Mirror => self.mirror(place, keep).await?,
            Step::Carried => r12_carried::page(keep.tx().await?, window).await?,
            Step::Repair => {
                if self.task.repair {
                    repair::all(keep.tx().await?, window, self.task.run).await?;
                }
                Page::default()
            }
            Step::Report => {
                *self.summary = Some(self.report(keep.tx().await?).await?);
                Page::default()
            }
            Step::Verify => unreachable!("it has a connection of its own"),
        })
    }

    /// Writes what a page found, and moves the cursor on.
    async fn keep(&mut self, step: Step, page: Page, keep: &mut impl Keep) -> Result<(), JobError> {
        let tx = keep.tx().await?;
        keep::keep(tx, self.task.book, self.task.run, &page.found).await?;
        if step != Step::Report {
            runs::advance(tx, self.task.book.shard, self.task.run, step.name(), page.scanned, 0).await?;
        }
        self.cursor.frontier = page.frontier.or(self.cursor.frontier.take());
        self.cursor.place = page.next;
        if self.cursor.place.is_none() {
            self.cursor.step += 1;
        }
        Ok(())
    }

    async fn leave_out(&mut self, keep: &mut impl Keep, step: &str, count: u64) -> Result<(), JobError> {
        self.cursor.left_out += count;
        runs::advance(keep.tx().await?, self.task.book.shard, self.task.run, step, 0, count).await?;
        Ok(())
    }

    async fn statements(&mut self, place: Option<Place>, keep: &mut impl Keep) -> Result<Page, JobError> {
        let done = r10_statements::page(keep.tx().await?, self.window, self.task.run, place).await?;
        self.leave_out(keep, Step::Statements.name(), done.left_out).await?;
        Ok(done.page)
    }

    /// Compares the Erlang ledger, if there is one. What it came to is written at once, as statements are.
    async fn mirror(&mut self, place: Option<Place>, keep: &mut impl Keep) -> Result<Page, JobError> {
        let Some((mirror, pool)) = self.task.mirror else { return Ok(Page::default()) };
        let Task { book, run, is_full, .. } = *self.task;
        let task = mirror::Task { mirror, pool, book, run, is_full };
        let compared = mirror::compare(&task, place).await?;
        self.leave_out(keep, Step::Mirror.name(), compared.left_out).await?;
        mirror::keep_compared(&task, keep.tx().await?, &compared, self.cursor.left_out == 0).await?;
        Ok(Page { found: Vec::new(), ..compared.page })
    }

    /// Derives all of the ledger again. It reads over a snapshot of its own, and is done again from the start if it is killed.
    /// Signatures are checked against the key that the log says it began with; whoever trusts nobody gives `ledger verify` the
    /// key that they know.
    async fn verify(&mut self, conn: Option<&mut PgConnection>, keep: &mut impl Keep) -> Result<Page, JobError> {
        let Some(conn) = conn.filter(|_| self.task.is_full) else { return Ok(Page::default()) };
        let listed = keyring::list(conn, self.task.book).await.map_err(JobError::retry)?;
        let first: Vec<VerifierKey> = listed.into_iter().take(1).map(|first| first.key).collect();
        let verification = verify(conn, self.task.book, &first, |_| ());
        tokio::pin!(verification);
        let report = loop {
            match tokio::time::timeout(BEAT, &mut verification).await {
                Ok(report) => break report.map_err(JobError::retry)?,
                Err(_) => keep.beat().await?,
            }
        };
        self.leave_out(keep, Step::Verify.name(), report.findings_left_out).await?;
        Ok(Page { found: of_verification(&report), scanned: report.leaves + report.entries, ..Page::default() })
    }

    async fn report(&self, tx: &mut PgConnection) -> sqlx::Result<Summary> {
        let Task { book, run, is_full, .. } = *self.task;
        let carried = carry(tx, book, run, is_full && self.cursor.left_out == 0).await?;
        severity::update(tx, book).await?;
        report::finish(tx, book, run, carried, self.cursor.frontier.as_deref()).await
    }
}
