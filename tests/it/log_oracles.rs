//! Two other implementations read our log and our proofs, and we read theirs: tlog_tiles, a port of Go's, and ct-merkle.

use std::fs;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ledger::merkle::proof::{check_consistency, check_inclusion};
use ledger::merkle::{Hash, leaf_hash};
use ledger::{Book, log};
use sha2_011::Sha256;
use tests::random::Random;
use tlog_tiles::{Tile, TileHashReader, TileReader};

use crate::log_kit::{Exported, turn_a_bit};

const LEAVES: u64 = 1_500;

/// The folder of an export, as that crate reads tiles.
struct Folder<'a>(&'a Exported);

impl TileReader for Folder<'_> {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        Ok(tiles.iter().map(|tile| self.read(tile)).collect())
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

impl Folder<'_> {
    /// The tile, or the beginning of what it has grown to.
    fn read(&self, tile: &Tile) -> Vec<u8> {
        let path = tile.path().replacen("tile/8/", "tile/", 1);
        let full = path.split(".p/").next().unwrap();
        let partial = || {
            let mut widths = fs::read_dir(self.0.file(&format!("{full}.p"))).unwrap().flatten();
            fs::read(widths.next().unwrap().path()).unwrap()
        };
        let mut bytes = fs::read(self.0.file(full)).unwrap_or_else(|_| partial());
        bytes.truncate(tile.width() as usize * 32);
        bytes
    }
}

fn theirs(hash: &Hash) -> tlog_tiles::Hash {
    tlog_tiles::Hash(*hash)
}

fn ours(hashes: &[tlog_tiles::Hash]) -> Vec<Hash> {
    hashes.iter().map(|hash| hash.0).collect()
}

/// A proof of each kind, made and checked by both sides, at a random place and random sizes.
async fn compare(log: &mut Exported, leaves: &[Vec<u8>], random: &mut Random) {
    let size = random.below(LEAVES) + 1;
    let (index, old) = (random.below(size), random.below(size) + 1);
    let inclusion = log::inclusion(&mut log.bench.conn, Book::MAIN, index, size).await.unwrap();
    let consistency = log::consistency(&mut log.bench.conn, Book::MAIN, old, size).await.unwrap();
    let (leaf, root, old_root) = (leaf_hash(&leaves[index as usize]), inclusion.root, consistency.old_root);
    assert_eq!((inclusion.leaf, consistency.new_root), (leaf, root));

    let mut tree = MemoryBackedTree::<Sha256, Vec<u8>>::new();
    leaves[..size as usize].iter().for_each(|leaf| tree.push(leaf.clone()));
    assert_eq!(tree.root().as_bytes().as_slice(), root);
    assert_eq!(tree.prove_inclusion(index as usize).as_bytes(), inclusion.hashes.concat());
    assert_eq!(tree.prove_consistency((size - old) as usize).as_bytes(), consistency.hashes.concat());

    let folder = Folder(log);
    let reader = TileHashReader::new(size, theirs(&root), &folder);
    assert_eq!(tlog_tiles::tree_hash(size, &reader).unwrap(), theirs(&root), "{size}");
    let record = tlog_tiles::prove_record(size, index, &reader).unwrap();
    assert_eq!(ours(&record), inclusion.hashes, "{index} {size}");
    assert!(check_inclusion(&leaf, index, size, &ours(&record), &root));
    let checked = tlog_tiles::check_record(&record, size, theirs(&root), index, theirs(&leaf));
    assert!(checked.is_ok(), "{index} {size}");
    let grown = tlog_tiles::prove_tree(size, old, &reader).unwrap();
    assert_eq!(ours(&grown), consistency.hashes, "{old} {size}");
    assert!(check_consistency(old, &old_root, size, &root, &ours(&grown)));
    assert!(tlog_tiles::check_tree(&grown, size, theirs(&root), old, theirs(&old_root)).is_ok(), "{old} {size}");
}

#[tokio::test]
async fn proofs_and_roots_of_ours_are_theirs_and_theirs_are_ours() {
    let mut log = Exported::create(LEAVES as usize).await;
    log.export().await.unwrap();
    let leaves: Vec<Vec<u8>> = sqlx::query_scalar("select leaf from ledger.transaction order by seq")
        .fetch_all(&mut log.bench.conn)
        .await
        .unwrap();
    let seed = Random::seed();
    println!("seed {seed}");
    let mut random = Random::new(seed);
    for _ in 0..60 {
        compare(&mut log, &leaves, &mut random).await;
    }
}

#[tokio::test]
async fn they_read_our_checkpoint_and_refuse_a_tile_that_was_changed() {
    let mut log = Exported::create(LEAVES as usize).await;
    log.export().await.unwrap();
    let note = fs::read_to_string(log.file("checkpoint")).unwrap();
    let text = note.split_inclusive("\n\n").next().unwrap().trim_end_matches('\n').to_owned() + "\n";
    let checkpoint = tlog_tiles::Checkpoint::from_bytes(text.as_bytes()).unwrap();
    assert_eq!((checkpoint.origin(), checkpoint.size()), ("bitnexus.example/main", LEAVES));
    let leaf: Vec<u8> = sqlx::query_scalar("select leaf from ledger.transaction where seq = 700")
        .fetch_one(&mut log.bench.conn)
        .await
        .unwrap();
    // Reading checks tiles against the root only where it has to, so what is read is checked too.
    let proves = |log: &Exported| {
        let folder = Folder(log);
        let reader = TileHashReader::new(LEAVES, *checkpoint.hash(), &folder);
        let Ok(proof) = tlog_tiles::prove_record(LEAVES, 700, &reader) else { return false };
        let leaf = tlog_tiles::record_hash(&leaf);
        tlog_tiles::check_record(&proof, LEAVES, *checkpoint.hash(), 700, leaf).is_ok()
    };
    assert!(proves(&log));
    for tile in ["tile/0/002", "tile/1/000.p/5"] {
        turn_a_bit(&log.file(tile), 100);
        assert!(!proves(&log), "{tile}");
        turn_a_bit(&log.file(tile), 100);
    }
    assert!(proves(&log));
}
