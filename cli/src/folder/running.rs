//! What the `up` that runs in a folder tells others: commands that want its database, and a second `up`.

use std::fs;
use std::net::SocketAddr;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::lock::Locks;
use super::{Folder, write_secret};

/// The file's name; it can outlive its writer, so it counts only while the lock is taken.
const FILE: &str = "up.json";

/// The `up` that runs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Running {
    /// Its process id.
    pub pid: u32,
    /// Where its API listens.
    pub api: SocketAddr,
    /// Whether its API speaks TLS.
    #[serde(default)]
    pub has_tls: bool,
    /// Where its workers' metrics are.
    pub metrics: SocketAddr,
    /// The address of its private database; none until that is ready, or where it uses another.
    pub database_url: Option<String>,
}

impl Running {
    /// Tells others.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub fn tell(&self, folder: &Folder) -> Result<()> {
        let text = serde_json::to_string_pretty(self).context("writing what runs here")?;
        write_secret(&folder.path().join(FILE), &text)
    }

    /// The `up` that runs in this folder, if there is one and it has told.
    pub fn find(folder: &Folder) -> Option<Running> {
        let text = fs::read_to_string(folder.path().join(FILE)).ok().filter(|_| Locks::is_taken(folder))?;
        serde_json::from_str(&text).ok()
    }

    /// Takes the word back.
    pub fn forget(folder: &Folder) {
        // A file that stays does no harm: without the lock nobody believes it.
        let _ = fs::remove_file(folder.path().join(FILE));
    }
}
