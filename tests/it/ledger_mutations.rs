//! Of more than a thousand single changes to a ledger, each is found, and none where nothing was changed.

use ledger::Book;
use ledger::checkpoint::note::{Body, origin};
use ledger::keyring::LogKey;
use ledger::keys::SigningKey;
use ledger::leaf::Leaf;
use ledger::merkle::leaf_hash;
use ledger::merkle::tiles::Appender;
use ledger::verify::rows::{HoldRow, TileRow};
use ledger::verify::{Tables, verify_tables};
use tests::random::Random;
use uuid::Uuid;

use crate::ledger_history::recorded;
use crate::ledger_verify::{TABLES, says};

/// How often each kind of change is made, each time at another place.
const TIMES: usize = 32;

/// What the changes are made to, and who makes them.
struct Scene {
    /// The tables as they were when the log was half as long.
    middle: Tables,
    /// A key that nobody trusts, of the same name.
    other: SigningKey,
}

/// One change; what it changes is up to the random numbers. False: there was nothing to change.
type Change = fn(&mut Random, &mut Tables, &Scene) -> bool;

fn place<T>(random: &mut Random, rows: &[T]) -> usize {
    random.below(rows.len() as u64) as usize
}

fn flip(random: &mut Random, bytes: &mut [u8]) -> bool {
    let bit = random.below(8 * bytes.len() as u64) as usize;
    bytes[bit / 8] ^= 1 << (bit % 8);
    true
}

fn other_id(random: &mut Random) -> Uuid {
    Uuid::from_u128(u128::from(random.below(u64::MAX)))
}

/// A number other than zero.
fn step(random: &mut Random) -> i64 {
    let step = random.below(1_000) as i64 + 1;
    if random.below(2) == 0 { step } else { -step }
}

/// Hashes, tiles and head made to fit the leaves, as somebody would who knows how.
fn rehash(tables: &mut Tables) {
    let mut appender = Appender::empty();
    for row in &mut tables.transactions {
        let hash = leaf_hash(&row.leaf);
        row.leaf_hash = hash.to_vec();
        appender.push(hash);
    }
    let tile = |tile: ledger::merkle::tiles::Tile| TileRow {
        level: tile.level.into(),
        index: tile.index as i64,
        root: Some(tile.root.to_vec()),
        hashes: tile.hashes,
    };
    tables.tiles = appender.take_full().into_iter().map(tile).collect();
    let frontier = appender.frontier();
    tables.head.size = frontier.size() as i64;
    tables.head.root = frontier.root().to_vec();
    tables.head.frontier = frontier.to_bytes();
    tables.head.recorded_at = tables.transactions.last().map(|row| row.recorded_at);
}

/// Another log: one leaf says something else of what is not in any other table, and all hashes fit.
fn fork(random: &mut Random, tables: &mut Tables) {
    let at = place(random, &tables.transactions);
    let row = &mut tables.transactions[at];
    let mut leaf = Leaf::decode(&row.leaf).expect("the leaf is whole");
    flip(random, &mut leaf.metadata_hash);
    row.leaf = leaf.encode();
    rehash(tables);
}

/// Signs all checkpoints anew, for the leaves as they are now.
fn sign_again(tables: &mut Tables, key: &SigningKey) {
    for row in &mut tables.checkpoints {
        let mut appender = Appender::empty();
        tables.transactions[..row.size as usize].iter().for_each(|row| appender.push(leaf_hash(&row.leaf)));
        let root = appender.frontier().root();
        row.root = root.to_vec();
        row.note = Body { origin: origin(Book::MAIN, key.name()), size: row.size as u64, root }.sign(key);
    }
}

fn flip_note(random: &mut Random, note: &mut String) -> bool {
    let mut bytes = std::mem::take(note).into_bytes();
    // The dash before the name is the one character that is not ASCII.
    let ascii: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at].is_ascii()).collect();
    let at = ascii[place(random, &ascii)];
    bytes[at] ^= 1 << random.below(7);
    *note = String::from_utf8(bytes).expect("what was ASCII still is");
    true
}

/// Changes to the transactions.
const TRANSACTIONS: [(&str, Change); 13] = [
    ("a bit of a leaf", |random, tables, _| {
        let at = place(random, &tables.transactions);
        flip(random, &mut tables.transactions[at].leaf)
    }),
    ("a bit of a leaf's hash", |random, tables, _| {
        let at = place(random, &tables.transactions);
        flip(random, &mut tables.transactions[at].leaf_hash)
    }),
    ("a bit of a leaf, with its hash made to fit", |random, tables, _| {
        let at = place(random, &tables.transactions);
        let row = &mut tables.transactions[at];
        flip(random, &mut row.leaf);
        row.leaf_hash = leaf_hash(&row.leaf).to_vec();
        true
    }),
    ("a transaction's id", |random, tables, _| {
        let at = place(random, &tables.transactions);
        tables.transactions[at].id = other_id(random);
        true
    }),
    ("a transaction's time", |random, tables, _| {
        let at = place(random, &tables.transactions);
        tables.transactions[at].recorded_at += step(random);
        true
    }),
    ("a transaction's relation", |random, tables, _| {
        let at = place(random, &tables.transactions);
        let row = &mut tables.transactions[at];
        let relation = [&mut row.reverses, &mut row.reverses_part, &mut row.resolves];
        let relation = relation.into_iter().nth(random.below(3) as usize).expect("there are three");
        *relation = if relation.is_some() { None } else { Some(other_id(random)) };
        true
    }),
    ("a transaction deleted", |random, tables, _| {
        let at = place(random, &tables.transactions);
        tables.transactions.remove(at);
        true
    }),
    ("a transaction deleted, with those after it moved up", |random, tables, _| {
        let at = place(random, &tables.transactions);
        tables.transactions.remove(at);
        tables.transactions[at..].iter_mut().for_each(|row| row.seq -= 1);
        rehash(tables);
        true
    }),
    ("two transactions swapped", |random, tables, _| {
        let at = place(random, &tables.transactions[1..]);
        let (one, other) = (tables.transactions[at].seq, tables.transactions[at + 1].seq);
        tables.transactions.swap(at, at + 1);
        (tables.transactions[at].seq, tables.transactions[at + 1].seq) = (one, other);
        true
    }),
    ("a transaction once more", |random, tables, _| {
        let mut row = tables.transactions[place(random, &tables.transactions)].clone();
        row.seq = tables.transactions.len() as i64;
        tables.transactions.push(row);
        true
    }),
    ("a transaction once more, with hashes and head made to fit", |random, tables, _| {
        let mut row = tables.transactions[place(random, &tables.transactions)].clone();
        row.seq = tables.transactions.len() as i64;
        let mut leaf = Leaf::decode(&row.leaf).expect("the leaf is whole");
        (leaf.seq, row.recorded_at) = (row.seq, tables.head.recorded_at.expect("there are leaves") + 1);
        leaf.recorded_at = chrono::DateTime::from_timestamp_micros(row.recorded_at).expect("it is in range");
        row.leaf = leaf.encode();
        tables.transactions.push(row);
        rehash(tables);
        true
    }),
    ("the tail cut off", |random, tables, _| {
        let at = place(random, &tables.transactions);
        tables.transactions.truncate(at);
        true
    }),
    ("the tail cut off, with hashes and head made to fit", |random, tables, _| {
        let at = place(random, &tables.transactions);
        tables.transactions.truncate(at);
        rehash(tables);
        true
    }),
];

/// Changes to the tree and to what is signed.
const LOG: [(&str, Change); 14] = [
    ("a bit of a tile", |random, tables, _| {
        let at = place(random, &tables.tiles);
        flip(random, &mut tables.tiles[at].hashes)
    }),
    ("a bit of a tile's root", |random, tables, _| {
        let at = place(random, &tables.tiles);
        flip(random, tables.tiles[at].root.as_mut().expect("a row has a root"))
    }),
    ("a tile deleted", |random, tables, _| {
        let at = place(random, &tables.tiles);
        tables.tiles.remove(at);
        true
    }),
    ("a tile elsewhere", |random, tables, _| {
        let at = place(random, &tables.tiles);
        tables.tiles[at].index += step(random);
        true
    }),
    ("a bit of the head's root", |random, tables, _| flip(random, &mut tables.head.root)),
    ("a bit of the head's frontier", |random, tables, _| flip(random, &mut tables.head.frontier)),
    ("the head's time", |random, tables, _| {
        tables.head.recorded_at = tables.head.recorded_at.map(|at| at + step(random));
        true
    }),
    ("the head's size", |random, tables, _| {
        tables.head.size = (tables.head.size + step(random)).max(0);
        true
    }),
    ("a bit of a checkpoint's root", |random, tables, _| {
        let at = place(random, &tables.checkpoints);
        flip(random, &mut tables.checkpoints[at].root)
    }),
    ("a bit of a checkpoint's note or signature", |random, tables, _| {
        let at = place(random, &tables.checkpoints);
        flip_note(random, &mut tables.checkpoints[at].note)
    }),
    ("a checkpoint's size", |random, tables, _| {
        let at = place(random, &tables.checkpoints);
        tables.checkpoints[at].size += step(random);
        true
    }),
    ("a fork that is not signed", |random, tables, _| {
        // Below the last checkpoint, which covers all.
        fork(random, tables);
        true
    }),
    ("a fork that is signed by another key, which is listed too", |random, tables, scene| {
        fork(random, tables);
        sign_again(tables, &scene.other);
        let listed = random.below(2) == 0;
        let key = LogKey { key: scene.other.verifier(), from_size: 1, until_size: None, endorsement: None };
        tables.keys.extend(listed.then_some(key));
        true
    }),
    ("everything as it was before, beside the last checkpoint", |random, tables, scene| {
        let checkpoints = tables.checkpoints.clone();
        *tables = scene.middle.clone();
        let later = tables.checkpoints.len()..checkpoints.len();
        tables.checkpoints.push(checkpoints[later.start + random.below(later.len() as u64) as usize].clone());
        true
    }),
];

/// Changes to what follows from the leaves.
const BALANCES: [(&str, Change); 17] = [
    ("a balance", |random, tables, _| {
        let at = place(random, &tables.accounts);
        tables.accounts[at].balance += step(random);
        true
    }),
    ("a version", |random, tables, _| {
        let at = place(random, &tables.accounts);
        tables.accounts[at].version += step(random);
        true
    }),
    ("what is held of an account", |random, tables, _| {
        let at = place(random, &tables.accounts);
        tables.accounts[at].held_out += step(random);
        true
    }),
    ("what is held for an account", |random, tables, _| {
        let at = place(random, &tables.accounts);
        tables.accounts[at].held_in += step(random);
        true
    }),
    ("when an account was closed", |random, tables, _| {
        let at = place(random, &tables.accounts);
        let row = &mut tables.accounts[at];
        row.closed_seq = row.closed_seq.map_or(Some(step(random).abs()), |_| None);
        true
    }),
    ("an account's currency", |random, tables, _| {
        let at = place(random, &tables.accounts);
        let row = &mut tables.accounts[at];
        row.currency = if row.currency == "GBP" { "EUR" } else { "GBP" }.to_owned();
        true
    }),
    ("an account deleted", |random, tables, _| {
        let at = place(random, &tables.accounts);
        tables.accounts.remove(at);
        true
    }),
    ("an entry's amount", |random, tables, _| {
        let at = place(random, &tables.entries);
        tables.entries[at].1.amount += step(random);
        true
    }),
    ("a running balance", |random, tables, _| {
        let at = place(random, &tables.entries);
        tables.entries[at].1.balance += step(random);
        true
    }),
    ("an entry's transaction", |random, tables, _| {
        let at = place(random, &tables.entries);
        tables.entries[at].1.seq += step(random);
        true
    }),
    ("an entry's version", |random, tables, _| {
        let at = place(random, &tables.entries);
        tables.entries[at].1.version += step(random);
        true
    }),
    ("an entry's time", |random, tables, _| {
        let at = place(random, &tables.entries);
        let entry = &mut tables.entries[at].1;
        entry.effective_at = entry.effective_at.map_or(Some(step(random)), |_| None);
        true
    }),
    ("an entry's account", |random, tables, _| {
        let at = place(random, &tables.entries);
        tables.entries[at].0 = other_id(random);
        true
    }),
    ("an entry deleted", |random, tables, _| {
        let at = place(random, &tables.entries);
        tables.entries.remove(at);
        true
    }),
    ("an entry twice", |random, tables, _| {
        let entry = tables.entries[place(random, &tables.entries)];
        tables.entries.push(entry);
        true
    }),
    ("two entries swapped", |random, tables, _| {
        let (one, other) = (place(random, &tables.entries), place(random, &tables.entries));
        let (from, to) = (tables.entries[one], tables.entries[other]);
        // The accounts change places; those of one account have nothing to change.
        (tables.entries[one].0, tables.entries[other].0) = (to.0, from.0);
        from.0 != to.0
    }),
    ("a hold that is open, deleted, added or changed", |random, tables, _| {
        let at = place(random, &tables.open_holds);
        match random.below(5) {
            0 => drop(tables.open_holds.remove(at)),
            1 => {
                let row = &tables.transactions[place(random, &tables.transactions)];
                let is_open = tables.open_holds.iter().any(|hold| hold.id == row.id);
                tables.open_holds.push(HoldRow { id: row.id, seq: row.seq, expires_at: None, accounts: Vec::new() });
                // Listed twice is wrong as well.
                assert!(!is_open || tables.open_holds.len() > 1);
            }
            2 => tables.open_holds[at].seq += step(random),
            3 => {
                let expires_at = &mut tables.open_holds[at].expires_at;
                *expires_at = expires_at.map_or(Some(step(random)), |_| None);
            }
            _ => drop(tables.open_holds[at].accounts.pop()),
        }
        true
    }),
];

const REFUSED: (&str, Change) = ("a recorded transaction refused", |random, tables, _| {
    tables.refusals.push(tables.transactions[place(random, &tables.transactions)].id);
    true
});

/// Changes in PostgreSQL itself to what holds, partial reversals and closings leave behind, and what has to be named.
const STATEMENTS: [(&str, &str); 20] = [
    ("update ledger.account set held_out = held_out + 1 where overdraft", "account … has another held_out"),
    ("update ledger.account set held_in = held_in + 1", "account … has another held_in"),
    ("update ledger.account set closed_seq = null where closed_seq is not null", "account … has another closed_seq"),
    ("update ledger.account set closed_seq = closed_seq + 1", "account … has another closed_seq"),
    ("update ledger.account set closed_seq = 1 where overdraft", "account … has another closed_seq"),
    ("delete from ledger.open_hold where seq = (select max(seq) from ledger.open_hold)", "is open, and is not listed"),
    (
        "insert into ledger.open_hold (book, id, seq, accounts) select 1, id, seq, '{}' from ledger.transaction where seq = 3",
        "is listed, and is not open",
    ),
    ("update ledger.open_hold set seq = seq + 1", "open hold … has another seq"),
    ("update ledger.open_hold set expires_at = expires_at + interval '1 us'", "open hold … has another expires_at"),
    ("update ledger.open_hold set expires_at = null", "open hold … has another expires_at"),
    ("update ledger.open_hold set accounts = accounts[1:1]", "open hold … has another accounts"),
    ("update ledger.transaction set resolves = null where resolves is not null", "has another resolves than its row"),
    ("update ledger.transaction set resolves = id where seq = 5", "leaf 5 (…) has another resolves than its row"),
    ("update ledger.transaction set reverses_part = null where reverses_part is not null", "has another reverses_part"),
    ("update ledger.transaction set reverses_part = id where seq = 5", "leaf 5 (…) has another reverses_part"),
    ("update ledger.transaction set reverses = null where reverses is not null", "has another reverses than its row"),
    ("update ledger.entry set effective_at = null where version = 2", "entry 2 of account … has another effective_at"),
    ("update ledger.entry set effective_at = effective_at - interval '1 us' where version = 1", "another effective_at"),
    ("update ledger.entry set effective_at = now() where effective_at is null", "another effective_at"),
    (
        "update ledger.transaction as t set leaf = set_byte(leaf, 4, 1),
             leaf_hash = sha256('\\x00'::bytea || set_byte(leaf, 4, 1))
         where get_byte(leaf, 4) = 2",
        "leaf … (…) cannot be read",
    ),
];

#[tokio::test]
async fn changes_in_the_database_are_found_and_named() {
    let key = SigningKey::generate("bitnexus.example/main").unwrap();
    let (mut bench, _) = recorded(&key).await;
    bench.execute("set session_replication_role = replica".to_owned()).await;
    bench.execute("alter table ledger.account drop constraint account_bound".to_owned()).await;
    for table in TABLES {
        bench.execute(format!("create table keep_{table} as table ledger.{table}")).await;
    }
    for (change, wanted) in STATEMENTS {
        let clean = bench.verify().await;
        assert!(clean.is_clean(), "before {change}: {:?}", clean.findings);
        assert!(bench.execute(change.to_owned()).await > 0, "{change}");
        let report = bench.verify().await;
        assert!(says(&report, wanted), "{change}: {wanted} is not among {:#?}", report.findings);
        for table in TABLES {
            bench.execute(format!("delete from ledger.{table}")).await;
            bench.execute(format!("insert into ledger.{table} select * from keep_{table}")).await;
        }
    }
}

#[tokio::test]
async fn every_change_of_a_thousand_is_found_and_none_where_there_is_none() {
    let seed = Random::seed();
    println!("seed {seed}");
    let mut random = Random::new(seed);
    let key = SigningKey::generate("bitnexus.example/main").unwrap();
    let other = SigningKey::generate("bitnexus.example/main").unwrap();
    let (mut bench, middle) = recorded(&key).await;
    let scene = Scene { middle, other };
    let clean = Tables::read(&mut bench.conn, Book::MAIN).await.unwrap();
    let keys = [key.verifier()];
    for tables in [&clean, &scene.middle] {
        let report = verify_tables(tables, &keys);
        assert!(report.is_clean(), "{:?}", report.findings);
    }
    let (leaves, tiles) = (clean.transactions.len(), clean.tiles.len());
    assert!(leaves > 700 && tiles >= 2 && clean.open_holds.len() > 10 && clean.checkpoints.len() == 2);
    let changes: Vec<(&str, Change)> = TRANSACTIONS.into_iter().chain(LOG).chain(BALANCES).chain([REFUSED]).collect();
    let mut made = 0;
    for (what, change) in changes.into_iter().flat_map(|change| std::iter::repeat_n(change, TIMES)) {
        let mut tables = clean.clone();
        if !change(&mut random, &mut tables, &scene) {
            continue;
        }
        assert_ne!(tables, clean, "{what}: nothing was changed");
        let report = verify_tables(&tables, &keys);
        assert!(!report.is_clean(), "seed {seed}, change {made}: {what} is not found");
        made += 1;
    }
    println!("{made} changes to {leaves} leaves, each found");
    assert!(made >= 1_000, "{made} changes");
}
