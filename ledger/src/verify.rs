//! Verification: derives everything that the ledger holds again from its leaves, over one snapshot, changing nothing.

use futures::FutureExt as _;
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use crate::Book;
use crate::keyring::{Keyring, KeyringError};
use crate::keys::VerifierKey;
use crate::merkle::Hash;
use crate::merkle::tiles::LEVELS;

mod checkpoints;
pub(crate) mod copy;
pub(crate) mod database;
mod entries;
mod finding;
mod fold;
pub mod rows;
pub(crate) mod source;
mod tables;
mod tiles;

use database::Database;
use fold::Fold;
use rows::HeadRow;
use source::{Beyond, Ids, Source};

pub use finding::Finding;
pub use tables::{Tables, Transaction};

/// Leaves in a page: those of 256 tiles.
const PAGE: i64 = 65_536;

/// The most findings of one kind that a report names, the first of them; the rest are counted.
pub const FINDINGS_OF_A_KIND_MAX: usize = 20;

/// How far a verification is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Leaves verified so far.
    pub leaves: u64,
    /// Leaves in all.
    pub leaves_total: u64,
}

/// What a verification found.
#[derive(Clone, Debug)]
pub struct Report {
    /// Leaves in the log.
    pub leaves: u64,
    /// Entries, one for each leg.
    pub entries: u64,
    /// Accounts of the book.
    pub accounts: u64,
    /// Full tiles.
    pub tiles: u64,
    /// Checkpoints.
    pub checkpoints: u64,
    /// Checkpoints whose signature one of the given keys made.
    pub signatures: u64,
    /// Signatures of witnesses that were kept, each good by the key that stands beside it.
    pub cosignatures: u64,
    /// Refused ids.
    pub refusals: u64,
    /// The root that follows from the leaves.
    pub root: Hash,
    /// What is wrong, in the order in which it was found; of each kind at most [`FINDINGS_OF_A_KIND_MAX`].
    pub findings: Vec<Finding>,
    /// How many more there are.
    pub findings_left_out: u64,
}

/// Why a verification came to no end.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// There is no such book.
    #[error("there is no book {0}")]
    NoSuchBook(Book),
    /// The list of the log's keys cannot be read.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// A file of an export cannot be read.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: String,
        /// What the system says.
        error: std::io::Error,
    },
    /// There is no whole export in the folder.
    #[error("{0} is no export, or one that was not written to its end: it has no book.json that can be read")]
    NotAnExport(String),
    /// The database answered in a way that is not its protocol.
    #[error("the database sent a row that cannot be read: {0}")]
    Row(&'static str),
}

impl Report {
    /// Whether everything follows from the leaves.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty() && self.findings_left_out == 0
    }
}

/// Verifies a book. The connection must not be in a transaction: this opens one of its own, repeatable read and read only.
/// Every checkpoint must be signed by one of the keys, or by one that follows from them; with no keys, signatures are not checked (see [`Report::signatures`]).
///
/// # Errors
/// When the database fails or there is no such book. What is wrong with the ledger is not an error but a [`Finding`].
pub async fn verify(
    conn: &mut PgConnection,
    book: Book,
    keys: &[VerifierKey],
    progress: impl FnMut(Progress),
) -> Result<Report, VerifyError> {
    // One snapshot for all: what is posted meanwhile is not seen.
    let mut tx = conn.begin_with("begin transaction isolation level repeatable read, read only").await?;
    let report = run(&mut Database { conn: &mut tx, book }, keys, progress).await?;
    tx.rollback().await?;
    Ok(report)
}

/// Verifies rows in memory, as [`verify`] does those of a database.
pub fn verify_tables(tables: &Tables, keys: &[VerifierKey]) -> Report {
    let mut source = tables;
    let report = run(&mut source, keys, |_| ()).now_or_never();
    report.expect("rows in memory are there at once").expect("rows in memory are read without fail")
}

/// Verifies any source; the one order of all checks.
pub(crate) async fn run<S: Source>(
    source: &mut S,
    keys: &[VerifierKey],
    mut progress: impl FnMut(Progress),
) -> Result<Report, VerifyError> {
    let head = source.head().await?;
    // Without a key to trust, none of those that are listed is.
    let listed = if keys.is_empty() { Vec::new() } else { source.keys().await? };
    let keys = Keyring::new(keys, listed);
    let mut fold = Fold::new(source.book());
    source.accounts(|row| fold.open(row)).await?;
    let mut count = checkpoints::Count::default();
    while fold.next_seq() < head.size {
        let range = fold.next_seq()..head.size.min(fold.next_seq() + PAGE);
        checkpoints::take(source, &mut fold, &keys, range.clone(), &mut count).await?;
        source.leaves(range.clone(), |row| fold.take(row)).await?;
        if fold.next_seq() == range.start {
            // A head can claim any size; a page without a leaf is the end of the log.
            fold.end_at(head.size);
            break;
        }
        fold.skip_to(range.end);
        assert_eq!(fold.next_seq(), range.end, "the page is read to its end");
        tiles::check(source, &mut fold).await?;
        progress(Progress { leaves: fold.next_seq() as u64, leaves_total: head.size as u64 });
    }
    assert!(fold.signed.is_empty(), "each checkpoint up to the head is reached");
    check_head(&mut fold, &head);
    let beyond = source.beyond(head.size).await?;
    check_beyond(&mut fold, beyond);
    checkpoints::take_beyond(source, &mut fold, head.size).await?;
    check_undone(source, &mut fold).await?;
    source.open_holds(|row| fold.check_open_hold(row)).await?;
    fold.check_all_holds_listed();
    entries::check(source, &mut fold, head.size).await?;
    check_accounts(source, &mut fold).await?;
    let refusals = check_ids(&mut fold, source.ids().await?);
    source.take_findings().into_iter().for_each(|finding| fold.findings.add(finding));
    Ok(report(fold, count, refusals))
}

/// Compares the head with the tree that the fold has built.
fn check_head(fold: &mut Fold, head: &HeadRow) {
    let frontier = fold.appender.frontier();
    let columns = [
        ("root", frontier.root().as_slice() == head.root),
        ("frontier", frontier.to_bytes() == head.frontier),
        ("recorded_at", fold.recorded_at == head.recorded_at),
    ];
    for (column, _) in columns.into_iter().filter(|(_, same)| !same) {
        fold.findings.add(Finding::Head { column });
    }
}

fn check_beyond(fold: &mut Fold, beyond: Beyond) {
    let leaves = beyond.leaves.into_iter().map(|seq| Finding::LeafBeyondHead { seq });
    let tiles = beyond.tiles.into_iter().map(|(level, index)| Finding::TileBeyondHead { level, index });
    let checkpoints = beyond.checkpoints.into_iter().map(|size| Finding::CheckpointBeyondHead { size });
    leaves.chain(tiles).chain(checkpoints).for_each(|finding| fold.findings.add(finding));
}

/// Compares what undoes a transaction with the transaction.
async fn check_undone(source: &mut impl Source, fold: &mut Fold) -> Result<(), VerifyError> {
    let mut ids: Vec<Uuid> = fold.undone.keys().copied().collect();
    ids.sort_unstable();
    if !ids.is_empty() {
        source.originals(&ids, |row| fold.check_original(row)).await?;
    }
    fold.check_all_originals_found();
    Ok(())
}

/// Compares each account's row with what follows from the leaves.
async fn check_accounts(source: &mut impl Source, fold: &mut Fold) -> Result<(), VerifyError> {
    let mut differing = Vec::new();
    source
        .accounts(|row| {
            let account = fold.accounts.get(&row.id).expect("a source does not change");
            differing.extend(account.differences(row, fold.closed.get(&row.id).copied()));
        })
        .await?;
    differing.sort_unstable();
    for (account, column) in differing {
        fold.findings.add(Finding::Account { account, column });
    }
    Ok(())
}

fn check_ids(fold: &mut Fold, ids: Ids) -> u64 {
    let both = ids.refused_and_recorded.into_iter().map(|transaction| Finding::RefusedAndRecorded { transaction });
    let twice = ids.recorded_twice.into_iter().map(|transaction| Finding::RecordedTwice { transaction });
    both.chain(twice).for_each(|finding| fold.findings.add(finding));
    ids.refusals
}

fn report(fold: Fold, count: checkpoints::Count, refusals: u64) -> Report {
    let frontier = fold.appender.frontier();
    let leaves = frontier.size();
    Report {
        leaves,
        entries: fold.entries,
        accounts: fold.accounts.len() as u64,
        tiles: (1..=LEVELS).map(|level| leaves.checked_shr(8 * level as u32).unwrap_or(0)).sum(),
        checkpoints: count.checkpoints,
        signatures: count.signatures,
        cosignatures: count.cosignatures,
        refusals,
        root: frontier.root(),
        findings: fold.findings.named,
        findings_left_out: fold.findings.left_out,
    }
}

#[cfg(test)]
mod tests;
