//! The log: its tree is the one that another implementation makes of the same leaves, and its heads are signed only as they grow.

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ledger::Book;
use ledger::checkpoint::note::{Body, is_signed};
use ledger::checkpoint::{SignError, latest, sign_head};
use ledger::keys::SigningKey;
use ledger::leaf::Leaf;
use ledger::merkle::store::proof_hashes;
use ledger::merkle::{leaf_hash, proof};
use sha2_011::Sha256;

use crate::ledger_kit::{Bench, transfer};

/// Posts so many deposits, in one batch.
async fn deposit(bench: &mut Bench, count: usize) {
    let (cash, wallet) = (bench.cash, bench.wallets[0]);
    let batch: Vec<_> = (0..count).map(|n| transfer(cash, wallet, n as i128 + 1)).collect();
    bench.post(&batch).await;
}

async fn leaves(bench: &mut Bench) -> Vec<Vec<u8>> {
    let query = "select leaf from ledger.transaction order by seq";
    sqlx::query_scalar(query).fetch_all(&mut bench.conn).await.expect("the leaves are read")
}

fn other_tree(leaves: &[Vec<u8>]) -> MemoryBackedTree<Sha256, Vec<u8>> {
    let mut tree = MemoryBackedTree::new();
    leaves.iter().for_each(|leaf| tree.push(leaf.clone()));
    tree
}

#[tokio::test]
async fn root_tiles_and_proofs_follow_from_the_leaves_whatever_the_batches() {
    let mut bench = Bench::create(1).await;
    for count in [1, 254, 1, 1, 300, 17, 200, 250] {
        deposit(&mut bench, count).await;
    }
    let leaves = leaves(&mut bench).await;
    let root: Vec<u8> = sqlx::query_scalar("select root from ledger.book").fetch_one(&mut bench.conn).await.unwrap();
    assert_eq!(root.as_slice(), other_tree(&leaves).root().as_bytes().as_slice());
    let tiles: Vec<(i16, i64, Vec<u8>)> = sqlx::query_as("select level, index, hashes from ledger.tile order by index")
        .fetch_all(&mut bench.conn)
        .await
        .unwrap();
    let hashes: Vec<u8> = leaves.iter().flat_map(|leaf| leaf_hash(leaf)).collect();
    let expected: Vec<_> = hashes.chunks_exact(8_192).zip(0..).map(|(tile, index)| (0, index, tile.to_vec())).collect();
    assert_eq!(tiles, expected);
    for (old, new) in [(1, 1_024), (256, 1_024), (300, 700), (512, 1_023), (1_000, 1_001)] {
        let proof = proof_hashes(&mut bench.conn, Book::MAIN, proof::consistency(old, new)).await.unwrap().concat();
        let tree = other_tree(&leaves[..new as usize]);
        assert_eq!(proof.as_slice(), tree.prove_consistency((new - old) as usize).as_bytes(), "{old} {new}");
        let proof = proof_hashes(&mut bench.conn, Book::MAIN, proof::inclusion(old, new)).await;
        if old < new {
            assert_eq!(proof.unwrap().concat().as_slice(), tree.prove_inclusion(old as usize).as_bytes());
        }
    }
    assert!(bench.verify().await.is_clean());
}

#[tokio::test]
async fn a_tile_of_the_second_level_is_cut_from_the_roots_of_the_first() {
    let mut bench = Bench::create(1).await;
    for _ in 0..8 {
        deposit(&mut bench, 8_190).await;
    }
    deposit(&mut bench, 30).await;
    let tiles: Vec<(i16, i64)> =
        sqlx::query_as("select level, count(*) from ledger.tile group by level order by level")
            .fetch_all(&mut bench.conn)
            .await
            .unwrap();
    assert_eq!(tiles, [(0, 256), (1, 1)]);
    let report = bench.verify().await;
    assert!(report.is_clean(), "{:?}", report.findings);
    assert_eq!((report.leaves, report.tiles), (65_550, 257));
}

#[tokio::test]
async fn a_leaf_says_what_was_posted() {
    let mut bench = Bench::create(1).await;
    let posting = transfer(bench.cash, bench.wallets[0], 250);
    bench.post_one(&posting).await;
    let leaf = Leaf::decode(&leaves(&mut bench).await[0]).unwrap();
    assert_eq!((leaf.book, leaf.seq, leaf.id, leaf.code), (1, 0, posting.id, 1));
    assert_eq!((Some(leaf.effective_at), leaf.metadata_hash), (posting.effective_at, posting.metadata_hash));
    let legs: Vec<_> = leaf.legs.iter().map(|leg| (leg.account, i128::from(leg.amount))).collect();
    assert_eq!(legs, [(bench.cash, -250), (bench.wallets[0], 250)]);
}

#[tokio::test]
async fn times_rise_and_come_from_the_database() {
    let mut bench = Bench::create(1).await;
    deposit(&mut bench, 300).await;
    deposit(&mut bench, 1).await;
    let rising: bool = sqlx::query_scalar(
        "select bool_and(later) and max(recorded_at) <= clock_timestamp() + interval '1 s'
         from (select recorded_at, recorded_at > lag(recorded_at, 1, '-infinity') over (order by seq) as later
               from ledger.transaction) as t",
    )
    .fetch_one(&mut bench.conn)
    .await
    .unwrap();
    assert!(rising);
}

#[tokio::test]
async fn a_head_is_signed_once_and_only_as_it_grows() {
    let mut bench = Bench::create(1).await;
    let key = SigningKey::generate("bitnexus.example/main").unwrap();
    assert_eq!(sign_head(&mut bench.conn, Book::MAIN, &key).await.unwrap(), None, "an empty log has nothing to sign");
    for (count, size) in [(3, 3), (300, 303), (209, 512), (1, 513)] {
        deposit(&mut bench, count).await;
        let checkpoint = sign_head(&mut bench.conn, Book::MAIN, &key).await.unwrap().expect("there are new leaves");
        assert_eq!(sign_head(&mut bench.conn, Book::MAIN, &key).await.unwrap(), None, "nothing is new");
        assert_eq!(latest(&mut bench.conn, Book::MAIN).await.unwrap().as_ref(), Some(&checkpoint));
        let body = Body { origin: "bitnexus.example/main".to_owned(), size, root: checkpoint.root };
        assert_eq!(Body::read(&checkpoint.note), Some(body));
        assert!(is_signed(&checkpoint.note, &[key.verifier()]));
    }
}

#[tokio::test]
async fn a_head_that_does_not_follow_from_the_last_one_is_not_signed() {
    let key = SigningKey::generate("bitnexus.example/main").unwrap();
    // Another leaf before the checkpoint; a log that was cut; a checkpoint that says something else than its note.
    let changes = [
        "update ledger.transaction set leaf_hash = set_byte(leaf_hash, 3, get_byte(leaf_hash, 3) # 1) where seq = 299",
        "update ledger.tile set root = set_byte(root, 0, get_byte(root, 0) # 1)",
        "update ledger.book set size = 256, root = t.root, frontier = t.root from ledger.tile as t",
        "update ledger.checkpoint set root = sha256('')",
        "delete from ledger.tile",
    ];
    for change in changes {
        let mut bench = Bench::create(1).await;
        deposit(&mut bench, 300).await;
        sign_head(&mut bench.conn, Book::MAIN, &key).await.unwrap();
        deposit(&mut bench, 100).await;
        bench.execute("set session_replication_role = replica".to_owned()).await;
        assert!(bench.execute(change.to_owned()).await > 0);
        let refused = sign_head(&mut bench.conn, Book::MAIN, &key).await;
        assert!(matches!(refused, Err(SignError::Inconsistent { signed: 300, .. })), "{change}: {refused:?}");
    }
}

#[tokio::test]
async fn what_is_recorded_cannot_be_changed() {
    let mut bench = Bench::create(1).await;
    deposit(&mut bench, 300).await;
    let key = SigningKey::generate("bitnexus.example/main").unwrap();
    sign_head(&mut bench.conn, Book::MAIN, &key).await.unwrap();
    let mut statements = vec!["update ledger.account set currency = 'EUR'".to_owned()];
    for (table, column) in
        [("transaction", "leaf"), ("entry", "amount"), ("refusal", "reason"), ("tile", "root"), ("checkpoint", "note")]
    {
        statements.push(format!("update ledger.{table} set {column} = {column}"));
    }
    for table in ["transaction", "entry", "refusal", "tile", "checkpoint", "account", "book"] {
        statements.push(format!("delete from ledger.{table}"));
        statements.push(format!("truncate ledger.{table}"));
    }
    for statement in statements {
        let result = sqlx::query(sqlx::AssertSqlSafe(statement.clone())).execute(&mut bench.conn).await;
        let error = result.expect_err(&statement).to_string();
        assert!(error.contains("is append-only"), "{statement}: {error}");
    }
    assert!(bench.verify().await.is_clean());
}
