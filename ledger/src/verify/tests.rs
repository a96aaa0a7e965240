//! The fold on leaves that a simple writer of these tests makes: right ones pass, and each wrong one has its finding.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::rows::{AccountRow, CheckpointRow, EntryRow, HoldRow};
use super::{Tables, Transaction, verify_tables};
use crate::checkpoint::note::{Body, origin};
use crate::keys::SigningKey;
use crate::leaf::{Leaf, LeafLeg};
use crate::merkle::leaf_hash;
use crate::merkle::tiles::Appender;
use crate::verify::rows::TileRow;
use crate::{AccountId, Act, Book, Currency, TransactionId};

const CASH: u128 = 1;
const ANN: u128 = 2;
const BOB: u128 = 3;
/// In euros, as nobody else.
const EVE: u128 = 4;

fn at(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap()
}

fn id(n: u128) -> TransactionId {
    TransactionId(Uuid::from_u128(0x100 + n))
}

/// Writes whatever it is told, right or wrong, and keeps the tables as those leaves make them.
struct Writer {
    tables: Tables,
    holds: Vec<(TransactionId, Vec<LeafLeg>)>,
    /// When the next leaf is recorded.
    now: i64,
    backdated: bool,
}

impl Writer {
    fn new() -> Writer {
        let account = |id: u128| AccountRow {
            id: Uuid::from_u128(id),
            currency: if id == EVE { "EUR" } else { "GBP" }.to_owned(),
            overdraft: id == CASH,
            balance: 0,
            version: 0,
            held_out: 0,
            held_in: 0,
            closed_seq: None,
        };
        let mut tables = Tables::empty(Book::MAIN);
        tables.accounts = [CASH, ANN, BOB, EVE].map(account).into();
        Writer { tables, holds: Vec::new(), now: 1_000, backdated: false }
    }

    fn account(&mut self, account: AccountId) -> &mut AccountRow {
        self.tables.accounts.iter_mut().find(|row| row.id == account.0).unwrap()
    }

    /// Records a leaf; its id follows from its seq.
    fn record(&mut self, act: Act, legs: &[(u128, i64)]) -> TransactionId {
        let seq = self.tables.transactions.len() as i64;
        let leg = |(account, amount): &(u128, i64)| LeafLeg {
            account: AccountId(Uuid::from_u128(*account)),
            currency: if *account == EVE { Currency::EUR } else { Currency::GBP },
            amount: *amount,
        };
        let recorded_at = at(self.now);
        let leaf = Leaf {
            book: 1,
            seq,
            id: id(seq as u128),
            recorded_at,
            effective_at: if self.backdated { at(5) } else { recorded_at },
            code: 1,
            act,
            metadata_hash: [7; 32],
            legs: legs.iter().map(leg).collect(),
        };
        self.now += 1_000;
        self.apply(&leaf);
        let bytes = leaf.encode();
        self.tables.transactions.push(Transaction {
            seq,
            id: leaf.id.0,
            recorded_at: recorded_at.timestamp_micros(),
            reverses: act.reverses().map(|id| id.0),
            reverses_part: act.reverses_part().map(|id| id.0),
            resolves: act.resolves().map(|id| id.0),
            leaf_hash: leaf_hash(&bytes).to_vec(),
            leaf: bytes,
        });
        leaf.id
    }

    fn apply(&mut self, leaf: &Leaf) {
        match leaf.act {
            Act::Hold { expires_at } => {
                let expires_at = expires_at.map(|at| at.timestamp_micros());
                self.tables.open_holds.push(HoldRow {
                    id: leaf.id.0,
                    seq: leaf.seq,
                    expires_at,
                    accounts: leaf.legs.iter().map(|leg| leg.account.0).collect(),
                });
                self.holds.push((leaf.id, leaf.legs.clone()));
                self.set_aside(&leaf.legs, 1);
            }
            Act::Capture(hold) | Act::Void(hold) | Act::Expire(hold) => {
                if let Some(place) = self.holds.iter().position(|(id, _)| *id == hold) {
                    let (_, legs) = self.holds.remove(place);
                    self.tables.open_holds.retain(|row| row.id != hold.0);
                    self.set_aside(&legs, -1);
                }
            }
            Act::Close => self.account(leaf.legs[0].account).closed_seq = Some(leaf.seq),
            _ => (),
        }
        for leg in leaf.legs.iter().filter(|_| leaf.act.moves()) {
            let effective_at = (leaf.effective_at != leaf.recorded_at).then(|| leaf.effective_at.timestamp_micros());
            let row = self.account(leg.account);
            row.version += 1;
            row.balance += leg.amount;
            let (version, balance) = (row.version, row.balance);
            let entry = EntryRow { version, seq: leaf.seq, amount: leg.amount, balance, effective_at };
            self.tables.entries.push((leg.account.0, entry));
        }
    }

    fn set_aside(&mut self, legs: &[LeafLeg], sign: i64) {
        for leg in legs {
            let row = self.account(leg.account);
            let held = if leg.amount < 0 { &mut row.held_out } else { &mut row.held_in };
            *held += sign * leg.amount.abs();
        }
    }

    fn pay(&mut self, from: u128, to: u128, amount: i64) -> TransactionId {
        self.record(Act::Post, &[(from, -amount), (to, amount)])
    }

    fn hold(&mut self, from: u128, to: u128, amount: i64, expires_at: Option<i64>) -> TransactionId {
        self.record(Act::Hold { expires_at: expires_at.map(at) }, &[(from, -amount), (to, amount)])
    }

    /// The tree over the leaves, and a checkpoint of all.
    fn finish(mut self, key: &SigningKey) -> Tables {
        let mut appender = Appender::empty();
        for row in &self.tables.transactions {
            appender.push(row.leaf_hash.as_slice().try_into().unwrap());
        }
        let tile = |tile: crate::merkle::tiles::Tile| TileRow {
            level: tile.level.into(),
            index: tile.index as i64,
            root: Some(tile.root.to_vec()),
            hashes: tile.hashes,
        };
        self.tables.tiles = appender.take_full().into_iter().map(tile).collect();
        let frontier = appender.frontier();
        let body = Body { origin: origin(Book::MAIN, key.name()), size: frontier.size(), root: frontier.root() };
        let size = frontier.size() as i64;
        self.tables.checkpoints = vec![CheckpointRow { size, root: frontier.root().to_vec(), note: body.sign(key) }];
        self.tables.head.size = size;
        self.tables.head.root = frontier.root().to_vec();
        self.tables.head.frontier = frontier.to_bytes();
        self.tables.head.recorded_at = self.tables.transactions.last().map(|row| row.recorded_at);
        self.tables
    }

    fn findings(self) -> Vec<String> {
        let key = SigningKey::generate("bitnexus.example/main").unwrap();
        let report = verify_tables(&self.finish(&key), &[key.verifier()]);
        report.findings.iter().map(ToString::to_string).collect()
    }
}

/// Ann has 1,000 pounds after the first leaf.
fn funded() -> Writer {
    let mut writer = Writer::new();
    writer.pay(CASH, ANN, 1_000);
    writer
}

#[test]
fn every_act_rightly_done_is_sound() {
    let mut writer = funded();
    let whole = writer.pay(ANN, BOB, 10);
    writer.record(Act::Reverse(whole), &[(BOB, -10), (ANN, 10)]);
    let parts = writer.pay(ANN, BOB, 10);
    writer.record(Act::ReversePart(parts), &[(ANN, 4), (BOB, -4)]);
    writer.record(Act::ReversePart(parts), &[(ANN, 6), (BOB, -6)]);
    writer.backdated = true;
    writer.record(Act::PostUpTo { asked: 100 }, &[(ANN, -99), (BOB, 99)]);
    writer.backdated = false;
    let captured = writer.hold(ANN, BOB, 900, None);
    writer.record(Act::Capture(captured), &[(ANN, -1), (BOB, 1)]);
    let voided = writer.hold(ANN, BOB, 900, Some(writer.now + 2_000));
    writer.record(Act::Void(voided), &[]);
    let expired = writer.hold(BOB, ANN, 100, Some(writer.now + 1_000));
    writer.record(Act::Expire(expired), &[]);
    writer.hold(ANN, BOB, 900, None);
    writer.record(Act::Close, &[(EVE, 0)]);
    assert_eq!(writer.findings(), Vec::<String>::new());
}

/// What a wrong writer does, and what has to be found.
type Case = (fn(&mut Writer), &'static str);

const CASES: [Case; 27] = [
    (
        |w| {
            w.pay(ANN, BOB, 1_001);
        },
        "leaf 1 takes account 00000000-0000-0000-0000-000000000002 beyond its bound",
    ),
    (
        |w| {
            w.hold(ANN, BOB, 1_001, None);
        },
        "leaf 1 takes account 00000000-0000-0000-0000-000000000002 beyond its bound",
    ),
    (
        |w| {
            w.hold(ANN, BOB, 600, None);
            w.pay(ANN, BOB, 401);
        },
        "leaf 2 takes account 00000000-0000-0000-0000-000000000002 beyond its bound",
    ),
    (
        // What a hold would bring is not there yet.
        |w| {
            w.hold(ANN, BOB, 600, None);
            w.pay(BOB, CASH, 1);
        },
        "leaf 2 takes account 00000000-0000-0000-0000-000000000003 beyond its bound",
    ),
    (
        |w| {
            let hold = w.hold(ANN, BOB, 600, None);
            w.record(Act::Void(hold), &[]);
            w.record(Act::Void(hold), &[]);
        },
        "leaf 3 does not end hold 00000000-0000-0000-0000-000000000101 rightly: it is not an open hold",
    ),
    (
        |w| {
            w.record(Act::Void(id(0)), &[]);
        },
        "leaf 1 does not end hold 00000000-0000-0000-0000-000000000100 rightly: it is not an open hold",
    ),
    (
        |w| {
            let hold = w.hold(ANN, BOB, 600, None);
            w.record(Act::Capture(hold), &[(ANN, -601), (BOB, 601)]);
        },
        "leaf 2 does not end hold 00000000-0000-0000-0000-000000000101 rightly: its legs are not within those of the hold",
    ),
    (
        |w| {
            let hold = w.hold(ANN, CASH, 600, None);
            w.record(Act::Capture(hold), &[(ANN, 1), (CASH, -1)]);
        },
        "leaf 2 does not end hold 00000000-0000-0000-0000-000000000101 rightly: its legs are not within those of the hold",
    ),
    (
        |w| {
            let hold = w.hold(ANN, BOB, 600, None);
            w.record(Act::Capture(hold), &[(ANN, -1), (CASH, 1)]);
        },
        "leaf 2 does not end hold 00000000-0000-0000-0000-000000000101 rightly: its legs are not within those of the hold",
    ),
    (
        |w| {
            let hold = w.hold(ANN, BOB, 600, Some(w.now + 1_000));
            w.record(Act::Capture(hold), &[(ANN, -1), (BOB, 1)]);
        },
        "leaf 2 does not end hold 00000000-0000-0000-0000-000000000101 rightly: its time is over",
    ),
    (
        |w| {
            let hold = w.hold(ANN, BOB, 600, Some(w.now + 1_000));
            w.record(Act::Void(hold), &[]);
        },
        "leaf 2 does not end hold 00000000-0000-0000-0000-000000000101 rightly: its time is over",
    ),
    (
        |w| {
            let hold = w.hold(ANN, BOB, 600, Some(w.now + 1_001));
            w.record(Act::Expire(hold), &[]);
        },
        "leaf 2 does not end hold 00000000-0000-0000-0000-000000000101 rightly: its time is not over",
    ),
    (
        |w| {
            let hold = w.hold(ANN, BOB, 600, None);
            w.record(Act::Expire(hold), &[]);
        },
        "leaf 2 does not end hold 00000000-0000-0000-0000-000000000101 rightly: its time is not over",
    ),
    (
        |w| {
            w.hold(ANN, BOB, 600, None);
            w.tables.open_holds.clear();
        },
        "hold 00000000-0000-0000-0000-000000000101 is open, and is not listed",
    ),
    (
        |w| w.tables.open_holds.push(HoldRow { id: id(0).0, seq: 0, expires_at: None, accounts: Vec::new() }),
        "hold 00000000-0000-0000-0000-000000000100 is listed, and is not open",
    ),
    (
        |w| {
            w.hold(ANN, BOB, 600, None);
            w.tables.open_holds[0].expires_at = Some(9);
        },
        "open hold 00000000-0000-0000-0000-000000000101 has another expires_at than follows from the leaves",
    ),
    (
        |w| {
            w.record(Act::PostUpTo { asked: 10 }, &[(ANN, -11), (BOB, 11)]);
        },
        "leaf 1 is not well formed: it moves more than was asked for",
    ),
    (
        |w| {
            w.pay(CASH, ANN, 1_000);
            w.record(Act::ReversePart(id(0)), &[(ANN, -600), (CASH, 600)]);
            w.record(Act::ReversePart(id(0)), &[(ANN, -401), (CASH, 401)]);
        },
        "leaf 3 does not reverse transaction 00000000-0000-0000-0000-000000000100 rightly: the legs are more than is left of it",
    ),
    (
        |w| {
            w.pay(CASH, ANN, 1_000);
            w.record(Act::ReversePart(id(0)), &[(ANN, -600), (CASH, 600)]);
            w.record(Act::Reverse(id(0)), &[(ANN, -1_000), (CASH, 1_000)]);
        },
        "leaf 3 does not reverse transaction 00000000-0000-0000-0000-000000000100 rightly: a part of it is reversed already",
    ),
    (
        |w| {
            w.pay(CASH, ANN, 1_000);
            w.record(Act::Reverse(id(0)), &[(ANN, -1_000), (CASH, 1_000)]);
            w.record(Act::ReversePart(id(0)), &[(ANN, -1), (CASH, 1)]);
        },
        "leaf 3 does not reverse transaction 00000000-0000-0000-0000-000000000100 rightly: it is reversed already",
    ),
    (
        |w| {
            let hold = w.hold(ANN, CASH, 600, None);
            w.record(Act::Reverse(hold), &[(ANN, 600), (CASH, -600)]);
        },
        "leaf 2 does not reverse transaction 00000000-0000-0000-0000-000000000101 rightly: it moved nothing",
    ),
    (
        |w| {
            w.record(Act::Close, &[(ANN, 0)]);
        },
        "leaf 1 closes account 00000000-0000-0000-0000-000000000002, which is not empty",
    ),
    (
        |w| {
            w.hold(ANN, BOB, 600, None);
            w.record(Act::Close, &[(BOB, 0)]);
        },
        "leaf 2 closes account 00000000-0000-0000-0000-000000000003, which is not empty",
    ),
    (
        |w| {
            w.record(Act::Close, &[(BOB, 0)]);
            w.pay(ANN, BOB, 1);
        },
        "leaf 2 has account 00000000-0000-0000-0000-000000000003, which is closed",
    ),
    (
        |w| {
            w.record(Act::Post, &[(ANN, -1), (BOB, 2)]);
        },
        "leaf 1 is not balanced in GBP",
    ),
    (
        |w| {
            w.record(Act::Post, &[(ANN, -1), (ANN, 1)]);
        },
        "leaf 1 is not well formed: two legs have the same account",
    ),
    (
        |w| {
            w.backdated = true;
            w.pay(ANN, BOB, 1);
            w.tables.entries[2].1.effective_at = None;
        },
        "entry 2 of account 00000000-0000-0000-0000-000000000002 has another effective_at than follows from the leaves",
    ),
];

#[test]
fn every_act_wrongly_done_is_found() {
    for (n, (wrong, wanted)) in CASES.into_iter().enumerate() {
        let mut writer = funded();
        wrong(&mut writer);
        assert_eq!(writer.findings(), [wanted], "case {n}");
    }
}

#[test]
fn an_id_that_is_recorded_twice_is_found() {
    let mut writer = funded();
    writer.pay(ANN, BOB, 1);
    // The same id again, in a leaf that is whole.
    let row = &mut writer.tables.transactions[1];
    let leaf = Leaf { id: id(0), ..Leaf::decode(&row.leaf).unwrap() };
    row.id = leaf.id.0;
    row.leaf = leaf.encode();
    row.leaf_hash = leaf_hash(&row.leaf).to_vec();
    assert_eq!(writer.findings(), ["transaction 00000000-0000-0000-0000-000000000100 is recorded more than once"]);
}
