//! An export as a source of a verification. The log is read from its beginning to its end; nothing else is kept of it than the
//! line that was read last.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::ops::Range;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::line::{self, Account, Balance, Checkpoint, Entry, Key, Recorded, Refusal};
use super::lines::{Lines, for_each, next};
use super::static_files::StaticFiles;
use super::transaction;
use crate::keyring::LogKey;
use crate::leaf::{Leaf, LeafLeg};
use crate::merkle::path::{TileKind, TilePath};
use crate::verify::rows::{AccountRow, CheckpointRow, EntryRow, HeadRow, HoldRow, LeafRow, TileRow};
use crate::verify::source::{Beyond, Ids, Source};
use crate::verify::{Finding, VerifyError};
use crate::{Book, TransactionId};

/// An export in its folder.
pub(super) struct ExportSource {
    folder: PathBuf,
    book: Book,
    head: HeadRow,
    /// The file of the leaves, as far as it is read.
    log: Option<Log>,
    /// The log as C2SP clients read it, up to the last checkpoint.
    files: StaticFiles,
    /// What is wrong with how the files are written.
    pub(super) findings: Vec<Finding>,
    /// Whether a pass over the log, or the accounts, has named what is wrong with the lines.
    has_read_log: bool,
    has_read_accounts: bool,
    /// The sum of the ids of the log under a random key, to compare with the list of ids.
    ids_sum: u64,
    hasher: RandomState,
}

impl ExportSource {
    pub(super) fn open(folder: &Path, book: Book, head: HeadRow) -> Result<ExportSource, VerifyError> {
        let mut last = None;
        for_each(folder, &mut Vec::new(), |checkpoint: Checkpoint| last = Some(checkpoint.row))?;
        Ok(ExportSource {
            files: StaticFiles::new(folder, last),
            folder: folder.to_owned(),
            book,
            head,
            log: None,
            findings: Vec::new(),
            has_read_log: false,
            has_read_accounts: false,
            ids_sum: 0,
            hasher: RandomState::new(),
        })
    }

    /// Reads the log once for some transactions, after the first pass has named what is wrong.
    fn find(&self, mut take: impl FnMut(&LeafRow<'_>)) -> Result<(), VerifyError> {
        let mut log = Log::open(&self.folder)?;
        while log.read(&mut Vec::new())? {
            take(&log.row());
        }
        Ok(())
    }
}

/// The file of the leaves.
struct Log {
    lines: Lines,
    seq: i64,
    hash: Vec<u8>,
    bytes: Vec<u8>,
    leaf: Option<Leaf>,
    /// What the end of the line should be.
    again: Vec<u8>,
    legs: Vec<LeafLeg>,
    /// Whether the line that was read last is still to be taken.
    is_pending: bool,
}

impl Log {
    fn open(folder: &Path) -> Result<Log, VerifyError> {
        let lines = Lines::open(folder, transaction::FILE)?;
        let (hash, bytes, again, legs) = Default::default();
        Ok(Log { lines, seq: -1, hash, bytes, leaf: None, again, legs, is_pending: false })
    }

    /// Reads the next line that has a leaf; false at the end of the file.
    fn read(&mut self, findings: &mut Vec<Finding>) -> Result<bool, VerifyError> {
        if self.is_pending {
            return Ok(true);
        }
        loop {
            let Some(text) = self.lines.next_line()? else { return Ok(false) };
            let Some((seq, said)) = transaction::read(text, &mut self.hash, &mut self.bytes) else {
                findings.push(self.lines.finding("it is not as an export writes it"));
                continue;
            };
            let room = self.leaf.take().map_or_else(|| std::mem::take(&mut self.legs), |leaf| leaf.legs);
            self.leaf = Leaf::decode_into(&self.bytes, room).ok();
            self.again.clear();
            transaction::write_said(&mut self.again, self.leaf.as_ref());
            if self.again != said {
                findings.push(self.lines.finding("it does not say what its leaf says"));
            }
            if seq <= self.seq {
                findings.push(self.lines.finding("it does not come after the line before it"));
                continue;
            }
            self.seq = seq;
            self.is_pending = true;
            return Ok(true);
        }
    }

    /// The line that was read last; its columns are those of the leaf, with which the line was compared.
    fn row(&mut self) -> LeafRow<'_> {
        assert!(std::mem::take(&mut self.is_pending), "a line was read");
        let id = |id: Option<TransactionId>| id.map(|id| id.0);
        let leaf = self.leaf.as_ref();
        LeafRow {
            seq: self.seq,
            id: leaf.map_or(Uuid::nil(), |leaf| leaf.id.0),
            recorded_at: leaf.map_or(0, |leaf| leaf.recorded_at.timestamp_micros()),
            reverses: leaf.and_then(|leaf| id(leaf.act.reverses())),
            reverses_part: leaf.and_then(|leaf| id(leaf.act.reverses_part())),
            resolves: leaf.and_then(|leaf| id(leaf.act.resolves())),
            leaf_hash: &self.hash,
            leaf: &self.bytes,
        }
    }
}

impl Source for ExportSource {
    fn book(&self) -> Book {
        self.book
    }

    async fn keys(&mut self) -> Result<Vec<LogKey>, VerifyError> {
        let mut keys = Vec::new();
        for_each(&self.folder, &mut self.findings, |key: Key| keys.push(key.key))?;
        Ok(keys)
    }

    fn tiled(&self) -> i64 {
        self.files.size() as i64
    }

    async fn head(&mut self) -> Result<HeadRow, VerifyError> {
        Ok(self.head.clone())
    }

    async fn accounts(&mut self, mut take: impl FnMut(&AccountRow)) -> Result<(), VerifyError> {
        let mut balances = Lines::open(&self.folder, <Balance as line::Line>::FILE)?;
        let (mut findings, mut failed) = (Vec::new(), Ok(()));
        let mut read = Vec::new();
        for_each(&self.folder, &mut findings, |account: Account| {
            let balance = next::<Balance>(&mut balances, &mut read);
            let balance = balance.unwrap_or_else(|error| {
                failed = Err(error);
                None
            });
            let is_its_own = balance.is_some_and(|balance| balance.account == account.id);
            if !is_its_own {
                read.push(balances.finding("it is not of the account of the same line in accounts.jsonl"));
            }
            let Some(balance) = balance.filter(|_| is_its_own) else { return };
            take(&AccountRow {
                id: account.id,
                currency: account.currency,
                overdraft: account.overdraft,
                balance: balance.balance,
                version: balance.version,
                held_out: balance.held_out,
                held_in: balance.held_in,
                closed_seq: balance.closed_seq,
            });
        })?;
        failed?;
        if next::<Balance>(&mut balances, &mut read)?.is_some() {
            read.push(balances.finding("it is of no account"));
        }
        if !std::mem::replace(&mut self.has_read_accounts, true) {
            self.findings.append(&mut findings);
            self.findings.append(&mut read);
        }
        Ok(())
    }

    async fn leaves(&mut self, range: Range<i64>, mut take: impl FnMut(&LeafRow<'_>)) -> Result<(), VerifyError> {
        let is_first_pass = !self.has_read_log;
        let mut log = match self.log.take() {
            Some(log) if range.start > 0 => log,
            _ => Log::open(&self.folder)?,
        };
        let mut findings = Vec::new();
        while log.read(&mut findings)? && log.seq < range.end {
            let row = log.row();
            if is_first_pass {
                self.ids_sum = self.ids_sum.wrapping_add(self.hasher.hash_one(row.id));
                self.files.take(&row, &mut self.findings);
            }
            if range.start <= row.seq {
                take(&row);
            }
        }
        self.log = Some(log);
        if is_first_pass {
            self.findings.append(&mut findings);
        }
        Ok(())
    }

    async fn originals(&mut self, ids: &[Uuid], mut take: impl FnMut(&LeafRow<'_>)) -> Result<(), VerifyError> {
        let ids: HashSet<&Uuid> = ids.iter().collect();
        self.find(|row| {
            if ids.contains(&row.id) {
                take(row);
            }
        })
    }

    async fn tiles(&mut self, level: i16, range: Range<i64>) -> Result<Vec<TileRow>, VerifyError> {
        let mut tiles = Vec::new();
        for index in range {
            let path = self.folder.join(TilePath::full(TileKind::Hashes(level as u8), index as u64).to_string());
            // One that cannot be read is missing.
            if let Ok(hashes) = std::fs::read(path) {
                tiles.push(TileRow { level, index, root: None, hashes });
            }
        }
        Ok(tiles)
    }

    async fn checkpoints(&mut self, sizes: Range<i64>) -> Result<Vec<CheckpointRow>, VerifyError> {
        let mut rows = Vec::new();
        let mut findings = Vec::new();
        for_each(&self.folder, &mut findings, |checkpoint: Checkpoint| {
            if sizes.contains(&checkpoint.row.size) {
                rows.push(checkpoint.row);
            }
        })?;
        if sizes.start <= 1 {
            self.findings.append(&mut findings);
        }
        Ok(rows)
    }

    async fn entries(&mut self, of: Option<Uuid>, mut take: impl FnMut(Uuid, &EntryRow)) -> Result<(), VerifyError> {
        let mut findings = Vec::new();
        for_each(&self.folder, &mut findings, |entry: Entry| {
            if of.is_none_or(|of| of == entry.account) {
                take(entry.account, &entry.row);
            }
        })?;
        if of.is_none() {
            self.findings.append(&mut findings);
        }
        Ok(())
    }

    async fn open_holds(&mut self, mut take: impl FnMut(&HoldRow)) -> Result<(), VerifyError> {
        for_each(&self.folder, &mut self.findings, |hold: HoldRow| take(&hold))
    }

    async fn beyond(&mut self, size: i64) -> Result<Beyond, VerifyError> {
        self.has_read_log = true;
        let mut beyond = Beyond::default();
        let mut log = match self.log.take() {
            Some(log) => log,
            None => Log::open(&self.folder)?,
        };
        while log.read(&mut self.findings)? {
            let row = log.row();
            self.ids_sum = self.ids_sum.wrapping_add(self.hasher.hash_one(row.id));
            if row.seq >= size {
                beyond.leaves.push(row.seq);
            }
        }
        for_each(&self.folder, &mut Vec::new(), |Checkpoint { row, .. }| {
            if !(1..=size).contains(&row.size) {
                beyond.checkpoints.push(row.size);
            }
        })?;
        self.files.finish(&mut self.findings);
        Ok(beyond)
    }

    async fn ids(&mut self) -> Result<Ids, VerifyError> {
        let mut ids = Ids::default();
        let mut refused = HashMap::new();
        for_each(&self.folder, &mut self.findings, |refusal: Refusal| {
            refused.insert(refusal.id, ());
        })?;
        ids.refusals = refused.len() as u64;
        // In the order of the ids, so that one which is there twice does not come after itself.
        let mut last = None;
        for_each(&self.folder, &mut self.findings, |Recorded(id)| {
            if refused.contains_key(&id) {
                ids.refused_and_recorded.push(TransactionId(id));
            }
            if last == Some(id) {
                ids.recorded_twice.push(TransactionId(id));
            }
            last = Some(id);
            self.ids_sum = self.ids_sum.wrapping_sub(self.hasher.hash_one(id));
        })?;
        if self.ids_sum != 0 {
            let file = <Recorded as line::Line>::FILE.to_owned();
            let problem = "the file does not have the ids of the transactions";
            self.findings.push(Finding::Line { file, line: 0, problem });
        }
        Ok(ids)
    }

    fn take_findings(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.findings)
    }
}
