//! Where a verification reads from: a database, an export, or rows in memory. The fold is the same for all.

use std::ops::Range;

use uuid::Uuid;

use super::VerifyError;
use super::finding::Finding;
use super::rows::{AccountRow, CheckpointRow, CosignatureRow, EntryRow, HeadRow, HoldRow, LeafRow, TileRow};
use crate::keyring::LogKey;
use crate::{Book, TransactionId};

/// What is there that the head does not cover.
#[derive(Debug, Default)]
pub(crate) struct Beyond {
    pub(crate) leaves: Vec<i64>,
    /// Levels and places.
    pub(crate) tiles: Vec<(i16, i64)>,
    pub(crate) checkpoints: Vec<i64>,
}

/// Which ids are used up, and which of them more than once.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    pub(crate) refusals: u64,
    pub(crate) refused_and_recorded: Vec<TransactionId>,
    pub(crate) recorded_twice: Vec<TransactionId>,
}

/// A ledger that can be read, and that does not change meanwhile.
pub(crate) trait Source {
    /// Which book it is.
    fn book(&self) -> Book;

    /// The keys that are listed for the log, trusted or not.
    async fn keys(&mut self) -> Result<Vec<LogKey>, VerifyError>;

    /// Of how many leaves the full tiles have to be there.
    fn tiled(&self) -> i64 {
        i64::MAX
    }

    /// The head of the log.
    async fn head(&mut self) -> Result<HeadRow, VerifyError>;

    /// All accounts, in no order.
    async fn accounts(&mut self, take: impl FnMut(&AccountRow)) -> Result<(), VerifyError>;

    /// The leaves of a range, in order.
    async fn leaves(&mut self, range: Range<i64>, take: impl FnMut(&LeafRow<'_>)) -> Result<(), VerifyError>;

    /// The leaves of these transactions, in no order.
    async fn originals(&mut self, ids: &[Uuid], take: impl FnMut(&LeafRow<'_>)) -> Result<(), VerifyError>;

    /// The tiles of a level within a range, in no order.
    async fn tiles(&mut self, level: i16, range: Range<i64>) -> Result<Vec<TileRow>, VerifyError>;

    /// The checkpoints whose size is in a range, by size.
    async fn checkpoints(&mut self, sizes: Range<i64>) -> Result<Vec<CheckpointRow>, VerifyError>;

    /// What witnesses signed of checkpoints whose size is in a range, in no order; an export has none of it.
    async fn cosignatures(&mut self, _sizes: Range<i64>) -> Result<Vec<CosignatureRow>, VerifyError> {
        Ok(Vec::new())
    }

    /// The entries of all accounts, or of one, in no order.
    async fn entries(&mut self, of: Option<Uuid>, take: impl FnMut(Uuid, &EntryRow)) -> Result<(), VerifyError>;

    /// The holds that are said to be open, in no order.
    async fn open_holds(&mut self, take: impl FnMut(&HoldRow)) -> Result<(), VerifyError>;

    /// What the head does not cover.
    async fn beyond(&mut self, size: i64) -> Result<Beyond, VerifyError>;

    /// The ids that are used up.
    async fn ids(&mut self) -> Result<Ids, VerifyError>;

    /// What the source itself found wrong with how it is written.
    fn take_findings(&mut self) -> Vec<Finding> {
        Vec::new()
    }
}
