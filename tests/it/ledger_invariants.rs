//! What holds of a book after every commit (I3 to I6), told from its tables by other means than the ledger's own.

use std::collections::HashMap;

use ledger::leaf::Leaf;
use ledger::merkle::frontier::Frontier;
use ledger::merkle::leaf_hash;
use ledger::{AccountId, Act, TransactionId};
use sqlx::PgConnection;

use crate::ledger_kit::Bench;

/// Each statement finds what must not be.
const NEVER: [(&str, &str); 7] = [
    (
        "I3: a currency whose entries do not add up to zero",
        "
     select account.currency
     from ledger.entry
     join ledger.account on account.id = entry.account_id
     group by account.currency
     having sum(entry.amount) <> 0",
    ),
    (
        "I4: an account that is not what its entries come to",
        "
     select account.id::text
     from ledger.account
     left join ledger.entry on entry.account_id = account.id
     group by account.id, account.balance, account.version
     having account.balance <> coalesce(sum(entry.amount), 0) or account.version <> count(entry.account_id)",
    ),
    (
        "I4: an entry that does not follow from the one before",
        "
     select account_id::text
     from (
         select *, sum(amount) over past as sum, row_number() over past as place
         from ledger.entry
         window past as (partition by account_id order by version)
     ) as entry
     where balance <> sum or version <> place",
    ),
    (
        "I4: entries of an account that are not in the order of the book",
        "
     select account_id::text
     from (select *, lag(seq) over (partition by account_id order by version) as before from ledger.entry) as entry
     where before >= seq",
    ),
    (
        "I5: a bound that is broken",
        "
     select account.id::text
     from ledger.account
     left join ledger.entry on entry.account_id = account.id
     where not account.overdraft and (entry.balance < 0 or account.balance - account.held_out < 0)",
    ),
    (
        "a closed account with something in it, or something after",
        "
     select account.id::text
     from ledger.account
     left join ledger.entry on entry.account_id = account.id
     where account.closed_seq is not null
         and ((account.balance, account.held_out, account.held_in) <> (0, 0, 0) or entry.seq > account.closed_seq)",
    ),
    (
        "an id that is both recorded and refused",
        "
     select id::text from ledger.refusal join ledger.transaction using (shard, book, id)",
    ),
];

/// Holds every statement of the ledger's promise against the tables.
pub(crate) async fn assert_sound(bench: &mut Bench) {
    assert_sound_on(&mut bench.conn).await;
}

/// The same, on any connection, over one snapshot; to be called on a connection without a transaction.
pub(crate) async fn assert_sound_on(conn: &mut PgConnection) {
    run(conn, "begin transaction isolation level repeatable read, read only").await;
    for (what, statement) in NEVER {
        let found: Vec<String> = sqlx::query_scalar(statement).fetch_all(&mut *conn).await.unwrap();
        assert!(found.is_empty(), "{what}: {found:?}");
    }
    let leaves = leaves(conn).await;
    assert_log_is_whole(conn, &leaves).await;
    assert_holds_are_right(conn, &leaves).await;
    assert_entries_are_those_of_leaves(conn, &leaves).await;
    run(conn, "rollback").await;
}

async fn run(conn: &mut PgConnection, statement: &'static str) {
    sqlx::raw_sql(statement).execute(conn).await.unwrap();
}

/// The leaves as bytes and as what they say, in order, of the main book.
async fn leaves(conn: &mut PgConnection) -> Vec<(Vec<u8>, Leaf)> {
    let rows = sqlx::query_as("select seq, leaf from ledger.transaction where book = 1 order by seq");
    let rows: Vec<(i64, Vec<u8>)> = rows.fetch_all(conn).await.unwrap();
    let leaf = |(place, (seq, bytes)): (usize, (i64, Vec<u8>))| {
        let leaf = Leaf::decode(&bytes).unwrap();
        assert_eq!((leaf.seq, leaf.seq), (seq, place as i64), "seqs have no gap");
        (bytes, leaf)
    };
    rows.into_iter().enumerate().map(leaf).collect()
}

/// I6: the head is the root of the leaves.
async fn assert_log_is_whole(conn: &mut PgConnection, leaves: &[(Vec<u8>, Leaf)]) {
    let mut tree = Frontier::empty();
    leaves.iter().for_each(|(bytes, _)| tree.push(leaf_hash(bytes), |_| ()));
    assert!(leaves.is_sorted_by(|(_, one), (_, next)| one.recorded_at < next.recorded_at));
    let head = sqlx::query_as("select size, root from ledger.book where book = 1");
    let (size, root): (i64, Vec<u8>) = head.fetch_one(conn).await.unwrap();
    assert_eq!((size, root.as_slice()), (leaves.len() as i64, tree.root().as_slice()));
}

/// What is held is what the open holds say, and the list of them is right.
async fn assert_holds_are_right(conn: &mut PgConnection, leaves: &[(Vec<u8>, Leaf)]) {
    let mut open: HashMap<TransactionId, &Leaf> = HashMap::new();
    for (_, leaf) in leaves {
        if matches!(leaf.act, Act::Hold { .. }) {
            open.insert(leaf.id, leaf);
        }
        if let Some(hold) = leaf.act.resolves() {
            assert!(open.remove(&hold).is_some(), "what ends was open");
        }
    }
    let mut held: HashMap<AccountId, (i64, i64)> = HashMap::new();
    for leg in open.values().flat_map(|leaf| &leaf.legs) {
        let held = held.entry(leg.account).or_default();
        if leg.amount < 0 { held.0 -= leg.amount } else { held.1 += leg.amount }
    }
    let rows = sqlx::query_as("select id, held_out, held_in from ledger.account where book = 1");
    let rows: Vec<(AccountId, i64, i64)> = rows.fetch_all(&mut *conn).await.unwrap();
    for (account, held_out, held_in) in rows {
        assert_eq!((held_out, held_in), held.get(&account).copied().unwrap_or_default(), "held of {account}");
    }
    let listed = sqlx::query_as("select id, seq, accounts from ledger.open_hold where book = 1");
    let listed: Vec<(TransactionId, i64, Vec<AccountId>)> = listed.fetch_all(conn).await.unwrap();
    assert_eq!(listed.len(), open.len());
    for (id, seq, accounts) in listed {
        let wanted: Vec<AccountId> = open[&id].legs.iter().map(|leg| leg.account).collect();
        assert_eq!((seq, accounts), (open[&id].seq, wanted));
    }
}

/// Each leg that moves has its entry, and nothing else has.
async fn assert_entries_are_those_of_leaves(conn: &mut PgConnection, leaves: &[(Vec<u8>, Leaf)]) {
    let mut wanted: Vec<(i64, AccountId, i64, Option<i64>)> = Vec::new();
    for (_, leaf) in leaves.iter().filter(|(_, leaf)| leaf.act.moves()) {
        let dated = (leaf.effective_at != leaf.recorded_at).then(|| leaf.effective_at.timestamp_micros());
        wanted.extend(leaf.legs.iter().map(|leg| (leaf.seq, leg.account, leg.amount, dated)));
    }
    let rows = "select seq, account_id, amount, (extract(epoch from effective_at) * 1000000)::bigint
                from ledger.entry where book = 1";
    let mut found: Vec<(i64, AccountId, i64, Option<i64>)> = sqlx::query_as(rows).fetch_all(conn).await.unwrap();
    wanted.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, wanted);
}
