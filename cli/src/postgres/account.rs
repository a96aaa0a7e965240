//! Which operating-system account runs PostgreSQL, which refuses to run as root.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context, Result};

/// An operating-system account with an entry in the password file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name, as peer authentication sees it.
    pub name: String,
    /// Its user id.
    pub uid: u32,
    /// Its primary group id.
    pub gid: u32,
}

impl Account {
    /// The account of this process.
    ///
    /// # Errors
    /// When the password file cannot be read or has no entry for this user id: `initdb` would refuse it too.
    pub fn current() -> Result<Account> {
        let uid = fs::metadata("/proc/self").context("reading the owner of /proc/self")?.uid();
        find(|account| account.uid == uid)?
            .with_context(|| format!("user id {uid} has no entry in /etc/passwd, which PostgreSQL needs"))
    }

    /// The account that PostgreSQL is to run as: this one, or for root `postgres` if it exists, else `nobody`.
    ///
    /// # Errors
    /// When no fitting account has an entry in the password file.
    pub fn for_postgres() -> Result<Account> {
        let current = Account::current()?;
        if current.uid != 0 {
            return Ok(current);
        }
        let postgres = find(|account| account.name == "postgres")?;
        postgres
            .map_or_else(|| find(|account| account.name == "nobody"), |found| Ok(Some(found)))?
            .context("PostgreSQL refuses to run as root, and there is neither a `postgres` nor a `nobody` account")
    }

    /// The account that owns `path`.
    ///
    /// # Errors
    /// When `path` cannot be looked at, or its owner has no entry in the password file.
    pub fn owner_of(path: &Path) -> Result<Account> {
        let uid = fs::metadata(path).with_context(|| format!("looking at {}", path.display()))?.uid();
        find(|account| account.uid == uid)?
            .with_context(|| format!("{} belongs to user id {uid}, which has no entry in /etc/passwd", path.display()))
    }

    /// Whether this account may pass through `folder` and all that is above it: not so below `/root`, for others.
    pub fn can_enter(&self, folder: &Path) -> bool {
        let may_search = |folder: &Path| {
            fs::metadata(folder).is_ok_and(|metadata| {
                let execute = if metadata.uid() == self.uid {
                    0o100
                } else if metadata.gid() == self.gid {
                    0o010
                } else {
                    0o001
                };
                metadata.mode() & execute != 0
            })
        };
        let real = folder.canonicalize();
        self.uid == 0 || real.is_ok_and(|folder| folder.ancestors().all(may_search))
    }
}

/// The first entry of the password file that `wanted` accepts.
fn find(wanted: impl Fn(&Account) -> bool) -> Result<Option<Account>> {
    let passwd = fs::read_to_string("/etc/passwd").context("reading /etc/passwd")?;
    Ok(passwd.lines().filter_map(parse).find(wanted))
}

/// One line of the password file: `name:password:uid:gid:…`.
fn parse(line: &str) -> Option<Account> {
    let mut fields = line.split(':');
    let name = fields.next()?.to_owned();
    let uid = fields.nth(1)?.parse().ok()?;
    let gid = fields.next()?.parse().ok()?;
    Some(Account { name, uid, gid })
}
