//! A log of a real book, exported to a folder: what the tests of the export and the tools of others share.

use std::path::{Path, PathBuf};

use ledger::Book;
use ledger::checkpoint::{Checkpoint, sign_head};
use ledger::export::tiles;
use ledger::keys::SigningKey;
use tempfile::TempDir;

use crate::ledger_kit::{Bench, transfer};

/// The key of the log, always the same.
pub(crate) fn key() -> SigningKey {
    SigningKey::from_seed("bitnexus.example/main", &[7; 32]).unwrap()
}

/// A book, and the folder that its log is exported to.
pub(crate) struct Exported {
    pub(crate) bench: Bench,
    folder: TempDir,
}

impl Exported {
    /// A book without leaves.
    pub(crate) async fn empty() -> Exported {
        Exported { bench: Bench::create(3).await, folder: tempfile::tempdir().unwrap() }
    }

    /// A book with so many leaves, not exported yet.
    pub(crate) async fn create(leaves: usize) -> Exported {
        let mut exported = Exported::empty().await;
        exported.grow(leaves).await;
        exported
    }

    /// Posts so many more transfers and signs for them.
    pub(crate) async fn grow(&mut self, leaves: usize) -> Checkpoint {
        let (cash, wallets) = (self.bench.cash, self.bench.wallets.clone());
        let transfers: Vec<_> = (0..leaves).map(|n| transfer(cash, wallets[n % 3], n as i128 + 1)).collect();
        for batch in transfers.chunks(1_000) {
            self.bench.post(batch).await;
        }
        sign_head(&mut self.bench.conn, Book::MAIN, &key()).await.unwrap().expect("there are new leaves")
    }

    /// Exports; returns how many files were written and how many kept.
    pub(crate) async fn export(&mut self) -> Result<(u64, u64), tiles::ExportError> {
        let exported = tiles::tiles(&mut self.bench.conn, Book::MAIN, self.folder.path(), |_| ()).await?;
        Ok((exported.written, exported.kept))
    }

    /// The folder.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A file in it.
    pub(crate) fn file(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }
}

/// Turns one bit of a file.
pub(crate) fn turn_a_bit(path: &Path, byte: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[byte] ^= 1;
    std::fs::write(path, bytes).unwrap();
}
