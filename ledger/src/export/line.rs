//! The lines of an export, one kind a file: how each is written and read.

use uuid::Uuid;

use super::scan::Scan;
use super::write::{self, put};
use crate::keyring::LogKey;
use crate::keys::VerifierKey;
use crate::verify::rows::{CheckpointRow, EntryRow, HoldRow};

/// A line of a file.
pub(super) trait Line: Sized {
    /// The file.
    const FILE: &'static str;
    /// Writes the line, without its end.
    fn write(&self, line: &mut Vec<u8>);
    /// Reads what [`Line::write`] writes and nothing else.
    fn read(line: &[u8]) -> Option<Self>;
    /// What lines come in the order of.
    fn key(&self) -> (u128, i64);
}

/// What of an account never changes, and its place among the groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) id: Uuid,
    pub(super) currency: String,
    pub(super) overdraft: bool,
    pub(super) code: i64,
    pub(super) group: Option<Uuid>,
    pub(super) opened_at: i64,
}

/// What follows from the leaves for an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Balance {
    pub(super) account: Uuid,
    pub(super) balance: i64,
    pub(super) version: i64,
    pub(super) held_out: i64,
    pub(super) held_in: i64,
    pub(super) closed_seq: Option<i64>,
}

/// A group of accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) id: Uuid,
    pub(super) name: String,
    pub(super) parent: Option<Uuid>,
    pub(super) created_at: i64,
}

/// An entry with its account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) account: Uuid,
    pub(super) row: EntryRow,
}

/// An id that is refused for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) id: Uuid,
    pub(super) reason: String,
    pub(super) refused_at: i64,
}

/// A checkpoint with the time that it was signed at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Checkpoint {
    pub(super) row: CheckpointRow,
    pub(super) signed_at: i64,
}

/// A key of the log with the time that it was added at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) key: LogKey,
    pub(super) added_at: i64,
}

/// The id of a recorded transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Recorded(pub(super) Uuid);

impl Line for Account {
    const FILE: &'static str = "accounts.jsonl";

    fn write(&self, line: &mut Vec<u8>) {
        put(line, "{\"id\":");
        write::uuid(line, self.id);
        put(line, ",\"currency\":");
        write::text(line, &self.currency);
        put(line, if self.overdraft { ",\"overdraft\":true,\"code\":" } else { ",\"overdraft\":false,\"code\":" });
        write::int(line, self.code);
        put(line, ",\"group\":");
        write::uuid_or_null(line, self.group);
        put(line, ",\"opened_at\":");
        write::time(line, self.opened_at);
        put(line, "}");
    }

    fn read(line: &[u8]) -> Option<Account> {
        let mut scan = Scan { rest: line };
        let account = Account {
            id: scan.skip("{\"id\":").and_then(|()| scan.uuid())?,
            currency: scan.skip(",\"currency\":").and_then(|()| scan.text())?,
            overdraft: scan.skip(",\"overdraft\":").and_then(|()| scan.boolean())?,
            code: scan.skip(",\"code\":").and_then(|()| scan.int())?,
            group: scan.skip(",\"group\":").and_then(|()| scan.or_null(Scan::uuid))?,
            opened_at: scan.skip(",\"opened_at\":").and_then(|()| scan.time())?,
        };
        scan.end().map(|()| account)
    }

    fn key(&self) -> (u128, i64) {
        (self.id.as_u128(), 0)
    }
}

impl Line for Balance {
    const FILE: &'static str = "balances.jsonl";

    fn write(&self, line: &mut Vec<u8>) {
        put(line, "{\"account\":");
        write::uuid(line, self.account);
        put(line, ",\"balance\":");
        write::int(line, self.balance);
        put(line, ",\"version\":");
        write::int(line, self.version);
        put(line, ",\"held_out\":");
        write::int(line, self.held_out);
        put(line, ",\"held_in\":");
        write::int(line, self.held_in);
        put(line, ",\"closed_seq\":");
        write::int_or_null(line, self.closed_seq);
        put(line, "}");
    }

    fn read(line: &[u8]) -> Option<Balance> {
        let mut scan = Scan { rest: line };
        let balance = Balance {
            account: scan.skip("{\"account\":").and_then(|()| scan.uuid())?,
            balance: scan.skip(",\"balance\":").and_then(|()| scan.int())?,
            version: scan.skip(",\"version\":").and_then(|()| scan.int())?,
            held_out: scan.skip(",\"held_out\":").and_then(|()| scan.int())?,
            held_in: scan.skip(",\"held_in\":").and_then(|()| scan.int())?,
            closed_seq: scan.skip(",\"closed_seq\":").and_then(|()| scan.or_null(Scan::int))?,
        };
        scan.end().map(|()| balance)
    }

    fn key(&self) -> (u128, i64) {
        (self.account.as_u128(), 0)
    }
}

impl Line for Group {
    const FILE: &'static str = "groups.jsonl";

    fn write(&self, line: &mut Vec<u8>) {
        put(line, "{\"id\":");
        write::uuid(line, self.id);
        put(line, ",\"name\":");
        write::text(line, &self.name);
        put(line, ",\"parent\":");
        write::uuid_or_null(line, self.parent);
        put(line, ",\"created_at\":");
        write::time(line, self.created_at);
        put(line, "}");
    }

    fn read(line: &[u8]) -> Option<Group> {
        let mut scan = Scan { rest: line };
        let group = Group {
            id: scan.skip("{\"id\":").and_then(|()| scan.uuid())?,
            name: scan.skip(",\"name\":").and_then(|()| scan.text())?,
            parent: scan.skip(",\"parent\":").and_then(|()| scan.or_null(Scan::uuid))?,
            created_at: scan.skip(",\"created_at\":").and_then(|()| scan.time())?,
        };
        scan.end().map(|()| group)
    }

    fn key(&self) -> (u128, i64) {
        (self.id.as_u128(), 0)
    }
}

impl Line for Entry {
    const FILE: &'static str = "entries.jsonl";

    fn write(&self, line: &mut Vec<u8>) {
        put(line, "{\"account\":");
        write::uuid(line, self.account);
        put(line, ",\"version\":");
        write::int(line, self.row.version);
        put(line, ",\"seq\":");
        write::int(line, self.row.seq);
        put(line, ",\"amount\":");
        write::int(line, self.row.amount);
        put(line, ",\"balance\":");
        write::int(line, self.row.balance);
        put(line, ",\"effective_at\":");
        write::time_or_null(line, self.row.effective_at);
        put(line, "}");
    }

    fn read(line: &[u8]) -> Option<Entry> {
        let mut scan = Scan { rest: line };
        let account = scan.skip("{\"account\":").and_then(|()| scan.uuid())?;
        let row = EntryRow {
            version: scan.skip(",\"version\":").and_then(|()| scan.int())?,
            seq: scan.skip(",\"seq\":").and_then(|()| scan.int())?,
            amount: scan.skip(",\"amount\":").and_then(|()| scan.int())?,
            balance: scan.skip(",\"balance\":").and_then(|()| scan.int())?,
            effective_at: scan.skip(",\"effective_at\":").and_then(|()| scan.or_null(Scan::time))?,
        };
        scan.end().map(|()| Entry { account, row })
    }

    fn key(&self) -> (u128, i64) {
        (self.account.as_u128(), self.row.version)
    }
}

impl Line for HoldRow {
    const FILE: &'static str = "holds.jsonl";

    fn write(&self, line: &mut Vec<u8>) {
        put(line, "{\"id\":");
        write::uuid(line, self.id);
        put(line, ",\"seq\":");
        write::int(line, self.seq);
        put(line, ",\"expires_at\":");
        write::time_or_null(line, self.expires_at);
        put(line, ",\"accounts\":[");
        for (n, account) in self.accounts.iter().enumerate() {
            put(line, if n == 0 { "" } else { "," });
            write::uuid(line, *account);
        }
        put(line, "]}");
    }

    fn read(line: &[u8]) -> Option<HoldRow> {
        let mut scan = Scan { rest: line };
        let mut hold = HoldRow {
            id: scan.skip("{\"id\":").and_then(|()| scan.uuid())?,
            seq: scan.skip(",\"seq\":").and_then(|()| scan.int())?,
            expires_at: scan.skip(",\"expires_at\":").and_then(|()| scan.or_null(Scan::time))?,
            accounts: Vec::new(),
        };
        scan.skip(",\"accounts\":[")?;
        while scan.skip("]").is_none() {
            if !hold.accounts.is_empty() {
                scan.skip(",")?;
            }
            hold.accounts.push(scan.uuid()?);
        }
        scan.end().map(|()| hold)
    }

    fn key(&self) -> (u128, i64) {
        (self.id.as_u128(), 0)
    }
}

impl Line for Refusal {
    const FILE: &'static str = "refusals.jsonl";

    fn write(&self, line: &mut Vec<u8>) {
        put(line, "{\"id\":");
        write::uuid(line, self.id);
        put(line, ",\"reason\":");
        write::text(line, &self.reason);
        put(line, ",\"refused_at\":");
        write::time(line, self.refused_at);
        put(line, "}");
    }

    fn read(line: &[u8]) -> Option<Refusal> {
        let mut scan = Scan { rest: line };
        let refusal = Refusal {
            id: scan.skip("{\"id\":").and_then(|()| scan.uuid())?,
            reason: scan.skip(",\"reason\":").and_then(|()| scan.text())?,
            refused_at: scan.skip(",\"refused_at\":").and_then(|()| scan.time())?,
        };
        scan.end().map(|()| refusal)
    }

    fn key(&self) -> (u128, i64) {
        (self.id.as_u128(), 0)
    }
}

impl Line for Checkpoint {
    const FILE: &'static str = "checkpoints.jsonl";

    fn write(&self, line: &mut Vec<u8>) {
        put(line, "{\"size\":");
        write::int(line, self.row.size);
        put(line, ",\"root\":\"");
        write::hex(line, &self.row.root);
        put(line, "\",\"signed_at\":");
        write::time(line, self.signed_at);
        put(line, ",\"note\":");
        write::text(line, &self.row.note);
        put(line, "}");
    }

    fn read(line: &[u8]) -> Option<Checkpoint> {
        let mut scan = Scan { rest: line };
        let size = scan.skip("{\"size\":").and_then(|()| scan.int())?;
        let mut root = Vec::with_capacity(32);
        scan.skip(",\"root\":\"").and_then(|()| scan.hex(&mut root))?;
        let signed_at = scan.skip(",\"signed_at\":").and_then(|()| scan.time())?;
        let note = scan.skip(",\"note\":").and_then(|()| scan.text())?;
        scan.end().map(|()| Checkpoint { row: CheckpointRow { size, root, note }, signed_at })
    }

    fn key(&self) -> (u128, i64) {
        (0, self.row.size)
    }
}

impl Line for Key {
    const FILE: &'static str = "keys.jsonl";

    fn write(&self, line: &mut Vec<u8>) {
        put(line, "{\"from_size\":");
        write::int(line, self.key.from_size);
        put(line, ",\"until_size\":");
        write::int_or_null(line, self.key.until_size);
        put(line, ",\"key\":");
        write::text(line, &self.key.key.to_text());
        put(line, ",\"endorsement\":");
        match &self.key.endorsement {
            Some(note) => write::text(line, note),
            None => put(line, "null"),
        }
        put(line, ",\"added_at\":");
        write::time(line, self.added_at);
        put(line, "}");
    }

    fn read(line: &[u8]) -> Option<Key> {
        let mut scan = Scan { rest: line };
        let from_size = scan.skip("{\"from_size\":").and_then(|()| scan.int())?;
        let until_size = scan.skip(",\"until_size\":").and_then(|()| scan.or_null(Scan::int))?;
        let text = scan.skip(",\"key\":").and_then(|()| scan.text())?;
        let key = VerifierKey::parse(&text).ok().filter(|key| key.to_text() == text)?;
        let endorsement = scan.skip(",\"endorsement\":").and_then(|()| scan.or_null(Scan::text))?;
        let added_at = scan.skip(",\"added_at\":").and_then(|()| scan.time())?;
        scan.end().map(|()| Key { key: LogKey { key, from_size, until_size, endorsement }, added_at })
    }

    fn key(&self) -> (u128, i64) {
        (self.key.from_size as u128, self.added_at)
    }
}

impl Line for Recorded {
    const FILE: &'static str = "ids.jsonl";

    fn write(&self, line: &mut Vec<u8>) {
        put(line, "{\"id\":");
        write::uuid(line, self.0);
        put(line, "}");
    }

    fn read(line: &[u8]) -> Option<Recorded> {
        let mut scan = Scan { rest: line };
        let id = scan.skip("{\"id\":").and_then(|()| scan.uuid())?;
        scan.end().map(|()| Recorded(id))
    }

    fn key(&self) -> (u128, i64) {
        (self.0.as_u128(), 0)
    }
}
