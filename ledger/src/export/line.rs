//! The lines of an export, one kind a file: how each is written and read.

use uuid::Uuid;

use super::scan::Scan;
use super::write;
use crate::Act;
use crate::Currency;
use crate::leaf::{Leaf, LeafLeg};
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

/// The id of a recorded transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Recorded(pub(super) Uuid);

fn put(line: &mut Vec<u8>, text: &str) {
    line.extend_from_slice(text.as_bytes());
}

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
        put(line, "}");
    }

    fn read(line: &[u8]) -> Option<HoldRow> {
        let mut scan = Scan { rest: line };
        let hold = HoldRow {
            id: scan.skip("{\"id\":").and_then(|()| scan.uuid())?,
            seq: scan.skip(",\"seq\":").and_then(|()| scan.int())?,
            expires_at: scan.skip(",\"expires_at\":").and_then(|()| scan.or_null(Scan::time))?,
        };
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

/// The file of the leaves, whose lines are [`transaction`]s.
pub(super) const TRANSACTIONS: &str = "transactions.jsonl";

/// Writes a transaction: hash and leaf as they are recorded, then what the leaf says, for people.
pub(super) fn transaction(line: &mut Vec<u8>, seq: i64, hash: &[u8], bytes: &[u8], leaf: Option<&Leaf>) {
    put(line, "{\"seq\":");
    write::int(line, seq);
    put(line, ",\"hash\":\"");
    write::hex(line, hash);
    put(line, "\",\"leaf\":\"");
    write::hex(line, bytes);
    put(line, "\"");
    // What is no leaf says nothing.
    if let Some(leaf) = leaf {
        said(line, leaf);
    }
    put(line, "}");
}

/// Reads hash and leaf of a transaction; the rest of the line is compared with what the leaf says.
pub(super) fn read_transaction(line: &[u8], hash: &mut Vec<u8>, leaf: &mut Vec<u8>) -> Option<i64> {
    let mut scan = Scan { rest: line };
    let seq = scan.skip("{\"seq\":").and_then(|()| scan.int())?;
    scan.skip(",\"hash\":\"").and_then(|()| scan.hex(hash))?;
    scan.skip(",\"leaf\":\"").and_then(|()| scan.hex(leaf))?;
    Some(seq)
}

fn said(line: &mut Vec<u8>, leaf: &Leaf) {
    let (act, other) = match leaf.act {
        Act::Post => ("post", None),
        Act::PostUpTo { .. } => ("post_up_to", None),
        Act::Reverse(other) => ("reverse", Some(other)),
        Act::ReversePart(other) => ("reverse_part", Some(other)),
        Act::Hold { .. } => ("hold", None),
        Act::Capture(other) => ("capture", Some(other)),
        Act::Void(other) => ("void", Some(other)),
        Act::Expire(other) => ("expire", Some(other)),
        Act::Close => ("close", None),
    };
    put(line, ",\"id\":");
    write::uuid(line, leaf.id.0);
    put(line, ",\"act\":\"");
    put(line, act);
    put(line, "\",\"of\":");
    write::uuid_or_null(line, other.map(|other| other.0));
    put(line, ",\"recorded_at\":");
    write::time(line, leaf.recorded_at.timestamp_micros());
    put(line, ",\"effective_at\":");
    write::time(line, leaf.effective_at.timestamp_micros());
    put(line, ",\"code\":");
    write::int(line, leaf.code.into());
    put(line, ",\"metadata_hash\":\"");
    write::hex(line, &leaf.metadata_hash);
    put(line, "\"");
    match leaf.act {
        Act::Hold { expires_at } => {
            put(line, ",\"expires_at\":");
            write::time_or_null(line, expires_at.map(|at| at.timestamp_micros()));
        }
        Act::PostUpTo { asked } => amount(line, ",\"asked\":\"", asked, leaf.legs[0].currency),
        _ => (),
    }
    put(line, ",\"legs\":[");
    for (n, leg) in leaf.legs.iter().enumerate() {
        put(line, if n == 0 { "{\"account\":" } else { ",{\"account\":" });
        said_leg(line, leg);
    }
    put(line, "]");
}

fn said_leg(line: &mut Vec<u8>, leg: &LeafLeg) {
    write::uuid(line, leg.account.0);
    put(line, ",\"currency\":\"");
    put(line, leg.currency.code());
    amount(line, "\",\"amount\":\"", leg.amount, leg.currency);
    put(line, "}");
}

/// Appends an amount with the decimals of its currency.
fn amount(line: &mut Vec<u8>, name: &str, minor: i64, currency: Currency) {
    put(line, name);
    let scale = u32::from(currency.scale());
    if scale == 0 {
        write::int(line, minor);
    } else {
        let (unit, minor_units) = (10u64.pow(scale), minor.unsigned_abs());
        if minor < 0 {
            line.push(b'-');
        }
        write::int(line, (minor_units / unit) as i64);
        line.push(b'.');
        for place in (0..scale).rev() {
            line.push(b'0' + (minor_units / 10u64.pow(place) % 10) as u8);
        }
    }
    put(line, "\"");
}
