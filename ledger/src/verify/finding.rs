//! What can be wrong with a ledger, each by name.

use super::FINDINGS_OF_A_KIND_MAX;
use crate::leaf::LeafError;
use crate::{AccountId, TransactionId};

/// A difference between what the ledger holds and what follows from its leaves.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// There is no transaction at this place of the log.
    #[error("leaf {seq} is missing")]
    LeafMissing {
        /// The place.
        seq: i64,
    },
    /// There is a transaction beyond the head.
    #[error("leaf {seq} is beyond the head of the log")]
    LeafBeyondHead {
        /// Its place.
        seq: i64,
    },
    /// The leaf does not hash to what stands beside it: one of both was changed.
    #[error("leaf {seq} ({transaction}) does not hash to its leaf_hash")]
    LeafHash {
        /// Its place.
        seq: i64,
        /// Its transaction, by the row.
        transaction: TransactionId,
    },
    /// The leaf is not a canonical encoding.
    #[error("leaf {seq} ({transaction}) cannot be read: {error}")]
    LeafEncoding {
        /// Its place.
        seq: i64,
        /// Its transaction, by the row.
        transaction: TransactionId,
        /// What is wrong with it.
        error: LeafError,
    },
    /// A column of the row says something else than the leaf.
    #[error("leaf {seq} ({transaction}) has another {column} than its row")]
    LeafColumn {
        /// Its place.
        seq: i64,
        /// Its transaction, by the row.
        transaction: TransactionId,
        /// The column.
        column: &'static str,
    },
    /// It was recorded no later than the one before.
    #[error("leaf {seq} is not recorded later than the one before it")]
    RecordedAt {
        /// Its place.
        seq: i64,
    },
    /// The legs of a transaction do not add up to zero in each currency.
    #[error("leaf {seq} is not balanced in {currency}")]
    Unbalanced {
        /// Its place.
        seq: i64,
        /// The currency.
        currency: &'static str,
    },
    /// A leg has an account that is not there, or is held in another currency.
    #[error("leaf {seq} has account {account}, which is not open in that currency")]
    LegAccount {
        /// Its place.
        seq: i64,
        /// The account.
        account: AccountId,
    },
    /// The legs of a transaction are none that can be recorded.
    #[error("leaf {seq} is not well formed: {problem}")]
    Shape {
        /// Its place.
        seq: i64,
        /// What is wrong.
        problem: &'static str,
    },
    /// A leg has an account that an earlier leaf closed.
    #[error("leaf {seq} has account {account}, which is closed")]
    LegAfterClose {
        /// Its place.
        seq: i64,
        /// The account.
        account: AccountId,
    },
    /// An account was closed that had a balance, or a part in an open hold.
    #[error("leaf {seq} closes account {account}, which is not empty")]
    CloseNotEmpty {
        /// Its place.
        seq: i64,
        /// The account.
        account: AccountId,
    },
    /// A capture, a void or an expiry of what is no open hold, at the wrong time, or of more than is held.
    #[error("leaf {seq} does not end hold {hold} rightly: {problem}")]
    Hold {
        /// Its place.
        seq: i64,
        /// The hold.
        hold: TransactionId,
        /// What is wrong.
        problem: &'static str,
    },
    /// A hold that nothing has ended is not among the open holds.
    #[error("hold {hold} is open, and is not listed")]
    OpenHoldMissing {
        /// The hold.
        hold: TransactionId,
    },
    /// A hold is listed as open that is none, or twice.
    #[error("hold {hold} is listed, and is not open")]
    OpenHoldExtra {
        /// The hold.
        hold: TransactionId,
    },
    /// An open hold is listed with other columns than follow from its leaf.
    #[error("open hold {hold} has another {column} than follows from the leaves")]
    OpenHold {
        /// The hold.
        hold: TransactionId,
        /// The column.
        column: &'static str,
    },
    /// What is available of an account without overdraft goes below zero, or an amount beyond 64 bits.
    #[error("leaf {seq} takes account {account} beyond its bound")]
    Bound {
        /// Its place.
        seq: i64,
        /// The account.
        account: AccountId,
    },
    /// A reversal whose original is not before it, is reversed twice, or has other legs.
    #[error("leaf {seq} does not reverse transaction {original} rightly: {problem}")]
    Reversal {
        /// Its place.
        seq: i64,
        /// The original.
        original: TransactionId,
        /// What is wrong.
        problem: &'static str,
    },
    /// The head has another root, frontier or time than follows from the leaves.
    #[error("the head of the book has another {column} than follows from the leaves")]
    Head {
        /// The column.
        column: &'static str,
    },
    /// A full tile is not there.
    #[error("tile {level}/{index} is missing")]
    TileMissing {
        /// Its level.
        level: i16,
        /// Its place within the level.
        index: i64,
    },
    /// A tile has other hashes, or another root, than follow from the leaves.
    #[error("tile {level}/{index} has another {column} than follows from the leaves")]
    Tile {
        /// Its level.
        level: i16,
        /// Its place within the level.
        index: i64,
        /// The column.
        column: &'static str,
    },
    /// A tile is there that the tree is too small for.
    #[error("tile {level}/{index} is beyond the head of the log")]
    TileBeyondHead {
        /// Its level.
        level: i16,
        /// Its place within the level.
        index: i64,
    },
    /// A checkpoint has another root than the leaves had at its size: the log was changed after it was signed.
    #[error("the checkpoint at {size} leaves has another root than follows from the leaves")]
    CheckpointRoot {
        /// Its size.
        size: i64,
    },
    /// A checkpoint covers more leaves than there are: the log was cut.
    #[error("the checkpoint at {size} leaves is beyond the head of the log")]
    CheckpointBeyondHead {
        /// Its size.
        size: i64,
    },
    /// A checkpoint's note says something else than its row, or is no note.
    #[error("the note of the checkpoint at {size} leaves does not say what its row says")]
    CheckpointNote {
        /// Its size.
        size: i64,
    },
    /// None of the keys signed a checkpoint.
    #[error("the checkpoint at {size} leaves is not signed by a known key")]
    CheckpointSignature {
        /// Its size.
        size: i64,
    },
    /// What is kept as a witness's signature is none of a checkpoint that is there.
    #[error("the cosignature at {size} leaves is not the witness's signature of the checkpoint")]
    Cosignature {
        /// The size of the checkpoint.
        size: i64,
    },
    /// An entry is not there.
    #[error("entry {version} of account {account} is missing")]
    EntryMissing {
        /// The account.
        account: AccountId,
        /// Its place in the account.
        version: i64,
    },
    /// An entry is there that no leaf has.
    #[error("entry {version} of account {account} is in no leaf")]
    EntryExtra {
        /// The account.
        account: AccountId,
        /// Its place in the account.
        version: i64,
    },
    /// An entry says something else than its leaf.
    #[error("entry {version} of account {account} has another {column} than follows from the leaves")]
    Entry {
        /// The account.
        account: AccountId,
        /// Its place in the account.
        version: i64,
        /// The column.
        column: &'static str,
    },
    /// An account's row says something else than its entries.
    #[error("account {account} has another {column} than follows from the leaves")]
    Account {
        /// The account.
        account: AccountId,
        /// The column.
        column: &'static str,
    },
    /// An id is recorded more than once.
    #[error("transaction {transaction} is recorded more than once")]
    RecordedTwice {
        /// The transaction.
        transaction: TransactionId,
    },
    /// A file of an export is not as an export writes it.
    #[error("{file}, line {line}: {problem}")]
    Line {
        /// The file, within the export.
        file: String,
        /// The line, from 1; 0 for the whole file.
        line: u64,
        /// What is wrong.
        problem: &'static str,
    },
    /// An id is both recorded and refused.
    #[error("transaction {transaction} is recorded, and refused too")]
    RefusedAndRecorded {
        /// The transaction.
        transaction: TransactionId,
    },
}

/// The findings so far: the first ones of each kind by name, the rest by count.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) named: Vec<Finding>,
    pub(crate) left_out: u64,
}

impl Findings {
    pub(crate) fn add(&mut self, finding: Finding) {
        let kind = std::mem::discriminant(&finding);
        let alike = self.named.iter().filter(|other| std::mem::discriminant(*other) == kind).count();
        if alike < FINDINGS_OF_A_KIND_MAX { self.named.push(finding) } else { self.left_out += 1 }
    }

    /// How many there are, named or not.
    pub(crate) fn count(&self) -> u64 {
        self.named.len() as u64 + self.left_out
    }
}
