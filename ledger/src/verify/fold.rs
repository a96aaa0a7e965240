//! What follows from the leaves: fed one by one in order, knowing no SQL and no files.

use std::collections::{HashMap, VecDeque};

use uuid::Uuid;

use super::finding::{Finding, Findings};
use super::rows::{AccountRow, LeafRow};
use crate::leaf::{Leaf, LeafLeg};
use crate::merkle::tiles::Appender;
use crate::merkle::{Hash, leaf_hash};
use crate::{AccountId, Act, Book, TransactionId};

mod account;
mod holds;
mod shape;
mod undone;

pub(super) use account::{AccountFold, EntryHasher, effective};
pub(super) use holds::OpenHold;
pub(super) use undone::Undone;

/// A map by ids that come from the ledger, and so from whoever wrote it: hashed under a key that is new in each run.
pub(super) type ById<T> = HashMap<Uuid, T, foldhash::quality::RandomState>;

/// A checkpoint whose size is still to be reached.
pub(super) struct Signed {
    pub(super) size: i64,
    pub(super) root: Vec<u8>,
}

/// Everything that follows from the leaves so far.
pub(super) struct Fold {
    pub(super) book: Book,
    pub(super) appender: Appender,
    pub(super) accounts: ById<AccountFold>,
    /// The leaves that closed accounts.
    pub(super) closed: ById<i64>,
    pub(super) hasher: EntryHasher,
    /// How many entries follow from the leaves.
    pub(super) entries: u64,
    /// Their sum by the hasher.
    pub(super) entries_sum: u64,
    /// Microseconds since the epoch of Unix.
    pub(super) recorded_at: Option<i64>,
    /// The holds that nothing has ended yet.
    pub(super) holds: ById<OpenHold>,
    /// What was undone, whole or in parts, by its id.
    pub(super) undone: ById<Undone>,
    /// By size, those ahead.
    pub(super) signed: VecDeque<Signed>,
    pub(super) findings: Findings,
    /// Room for the legs of a leaf, used again for the next.
    legs: Vec<LeafLeg>,
}

impl Fold {
    pub(super) fn new(book: Book) -> Fold {
        Fold {
            book,
            appender: Appender::empty(),
            accounts: HashMap::default(),
            hasher: EntryHasher::default(),
            closed: HashMap::default(),
            entries: 0,
            entries_sum: 0,
            recorded_at: None,
            holds: HashMap::default(),
            undone: HashMap::default(),
            signed: VecDeque::new(),
            findings: Findings::default(),
            legs: Vec::new(),
        }
    }

    /// Takes note of an account, with nothing posted to it yet.
    pub(super) fn open(&mut self, row: &AccountRow) {
        if self.accounts.insert(row.id, AccountFold::open(row)).is_some() {
            self.findings.add(Finding::Account { account: AccountId(row.id), column: "id" });
        }
    }

    /// The seq of the next leaf.
    pub(super) fn next_seq(&self) -> i64 {
        self.appender.frontier().size() as i64
    }

    /// Takes the next row in order; whatever seq it skips is missing.
    pub(super) fn take(&mut self, row: &LeafRow<'_>) {
        self.skip_to(row.seq);
        let transaction = TransactionId(row.id);
        if row.seq != self.next_seq() {
            // Only without its unique index can the table have two rows of one seq.
            return self.findings.add(Finding::LeafColumn { seq: row.seq, transaction, column: "seq" });
        }
        if leaf_hash(row.leaf) != row.leaf_hash {
            self.findings.add(Finding::LeafHash { seq: row.seq, transaction });
        }
        match Leaf::decode_into(row.leaf, std::mem::take(&mut self.legs)) {
            Ok(leaf) => {
                self.take_leaf(row, &leaf);
                self.legs = leaf.legs;
            }
            Err(error) => self.findings.add(Finding::LeafEncoding { seq: row.seq, transaction, error }),
        }
        // A leaf that differs from its hash has its finding; the tree goes on with the hash, so that it stays the only one.
        self.append(Hash::try_from(row.leaf_hash).unwrap_or_default());
    }

    /// Takes note that there is no leaf until `seq`.
    pub(super) fn skip_to(&mut self, seq: i64) {
        while self.next_seq() < seq {
            self.findings.add(Finding::LeafMissing { seq: self.next_seq() });
            self.append(Hash::default());
        }
        assert!(self.next_seq() >= seq, "what is skipped is accounted for");
    }

    /// Takes note that there is no leaf from here to `size`.
    pub(super) fn end_at(&mut self, size: i64) {
        assert!(self.next_seq() < size, "there are leaves that are missing");
        self.findings.add(Finding::LeafMissing { seq: self.next_seq() });
        self.findings.left_out += (size - self.next_seq() - 1) as u64;
        for signed in std::mem::take(&mut self.signed) {
            self.findings.add(Finding::CheckpointRoot { size: signed.size });
        }
    }

    fn append(&mut self, hash: Hash) {
        self.appender.push(hash);
        let size = self.next_seq();
        assert!(self.signed.front().is_none_or(|signed| signed.size >= size), "no checkpoint is passed by");
        while let Some(signed) = self.signed.pop_front_if(|signed| signed.size <= size) {
            if signed.root != self.appender.frontier().root() {
                self.findings.add(Finding::CheckpointRoot { size });
            }
        }
    }

    fn take_leaf(&mut self, row: &LeafRow<'_>, leaf: &Leaf) {
        self.check_columns(row, leaf);
        if self.recorded_at.is_some_and(|last| row.recorded_at <= last) {
            self.findings.add(Finding::RecordedAt { seq: row.seq });
        }
        self.recorded_at = Some(row.recorded_at);
        shape::check(&mut self.findings, row.seq, leaf);
        match leaf.act {
            Act::Post | Act::PostUpTo { .. } => self.move_legs(row.seq, leaf),
            Act::Reverse(original) | Act::ReversePart(original) => {
                self.move_legs(row.seq, leaf);
                self.undone.entry(original.0).or_default().add(row.seq, leaf);
            }
            Act::Hold { expires_at } => self.hold(row.seq, leaf, expires_at),
            Act::Capture(hold) => {
                self.end_hold(row.seq, leaf, hold);
                self.move_legs(row.seq, leaf);
            }
            Act::Void(hold) | Act::Expire(hold) => self.end_hold(row.seq, leaf, hold),
            Act::Close => self.close(row.seq, leaf),
        }
    }

    fn check_columns(&mut self, row: &LeafRow<'_>, leaf: &Leaf) {
        let id = |transaction: Option<TransactionId>| transaction.map(|transaction| transaction.0);
        let columns = [
            ("book", leaf.book == self.book.id),
            ("seq", leaf.seq == row.seq),
            ("id", leaf.id.0 == row.id),
            ("recorded_at", leaf.recorded_at.timestamp_micros() == row.recorded_at),
            ("reverses", id(leaf.act.reverses()) == row.reverses),
            ("reverses_part", id(leaf.act.reverses_part()) == row.reverses_part),
            ("resolves", id(leaf.act.resolves()) == row.resolves),
        ];
        for (column, _) in columns.into_iter().filter(|(_, same)| !same) {
            self.findings.add(Finding::LeafColumn { seq: row.seq, transaction: TransactionId(row.id), column });
        }
    }

    /// The account of a leg, if it is open in the leg's currency and nothing has closed it before.
    fn account(&mut self, seq: i64, leg: &LeafLeg) -> Option<&mut AccountFold> {
        let account = leg.account;
        let Some(fold) = self.accounts.get_mut(&account.0) else {
            self.findings.add(Finding::LegAccount { seq, account });
            return None;
        };
        if fold.currency != Some(leg.currency) {
            self.findings.add(Finding::LegAccount { seq, account });
        }
        if fold.is_closed {
            self.findings.add(Finding::LegAfterClose { seq, account });
        }
        Some(fold)
    }

    fn move_legs(&mut self, seq: i64, leaf: &Leaf) {
        let effective_at = effective(leaf);
        for leg in &leaf.legs {
            self.entries += 1;
            let Some(fold) = self.account(seq, leg) else { continue };
            let (entry, is_within_bound) = fold.add(seq, leg, effective_at);
            self.entries_sum = self.entries_sum.wrapping_add(self.hasher.hash(leg.account.0, &entry));
            if !is_within_bound {
                self.findings.add(Finding::Bound { seq, account: leg.account });
            }
        }
    }

    fn close(&mut self, seq: i64, leaf: &Leaf) {
        for leg in &leaf.legs {
            let Some(fold) = self.account(seq, leg) else { continue };
            let is_empty = fold.balance == 0 && fold.held_out == 0 && fold.held_in == 0;
            fold.is_closed = true;
            self.closed.entry(leg.account.0).or_insert(seq);
            if !is_empty {
                self.findings.add(Finding::CloseNotEmpty { seq, account: leg.account });
            }
        }
    }
}
