//! The static export: all of the log as files, gone on with after a cut, never over another log.

use std::fs;

use ledger::Book;
use ledger::export::tiles::{self, ExportError};
use ledger::log::LogError;
use ledger::merkle::leaf_hash;

use crate::log_kit::Exported;

#[tokio::test]
async fn the_files_are_the_log() {
    let mut log = Exported::create(700).await;
    assert_eq!(log.export().await.unwrap(), (3 + 3 + 1, 0));
    let leaves: Vec<Vec<u8>> = sqlx::query_scalar("select leaf from ledger.transaction order by seq")
        .fetch_all(&mut log.bench.conn)
        .await
        .unwrap();
    let hashes: Vec<u8> = leaves.iter().flat_map(|leaf| leaf_hash(leaf)).collect();
    let tiles = ["000", "001", "002.p/188"].map(|tile| fs::read(log.file(&format!("tile/0/{tile}"))).unwrap());
    assert_eq!(tiles.concat(), hashes);
    let bundle = fs::read(log.file("tile/entries/002.p/188")).unwrap();
    let (length, first) = bundle.split_at(2);
    assert_eq!(
        (length, &first[..leaves[512].len()]),
        (&(leaves[512].len() as u16).to_be_bytes()[..], &leaves[512][..])
    );
    let note = ledger::checkpoint::latest(&mut log.bench.conn, Book::MAIN).await.unwrap().unwrap().note;
    assert_eq!(fs::read_to_string(log.file("checkpoint")).unwrap(), note);
    assert_eq!(fs::metadata(log.file("tile/1/000.p/2")).unwrap().len(), 64);
}

#[tokio::test]
async fn an_export_goes_on_where_it_was_cut_off() {
    let mut log = Exported::create(700).await;
    log.export().await.unwrap();
    let whole = |log: &Exported| tiles::paths(700).map(|path| fs::read(log.file(&path.to_string())).unwrap()).collect();
    let before: Vec<Vec<u8>> = whole(&log);
    assert_eq!(log.export().await.unwrap(), (0, 7), "nothing is written twice");
    // A cut before the checkpoint: files are missing, one was cut short by a crash of the machine, one is unfinished.
    fs::remove_file(log.file("checkpoint")).unwrap();
    fs::remove_file(log.file("tile/0/001")).unwrap();
    for (tile, bytes) in [("tile/0/000", 8_000), ("tile/entries/000", 30_000), ("tile/entries/001", 0)] {
        fs::OpenOptions::new().write(true).open(log.file(tile)).unwrap().set_len(bytes).unwrap();
    }
    fs::write(log.file("tile/entries/001.unfinished"), "half").unwrap();
    assert_eq!(log.export().await.unwrap(), (4, 3));
    assert_eq!(whole(&log), before);
    log.grow(100).await;
    assert_eq!(log.export().await.unwrap(), (2 + 2 + 1, 2 + 2), "what became full, the open edge, and the level above");
}

#[tokio::test]
async fn a_folder_of_another_log_is_left_alone() {
    let mut log = Exported::create(300).await;
    log.export().await.unwrap();
    let mut other = Exported::create(400).await;
    for wrong in
        ["bitnexus.example/main\n9\n", "", "other.example/log\n1\nq6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=\n\n"]
    {
        fs::write(other.file("checkpoint"), wrong).unwrap();
        assert!(matches!(other.export().await, Err(ExportError::OtherLog { .. })), "{wrong:?}");
    }
    // A fork has the name, and other leaves; a log that was rolled back has fewer.
    let checkpoint = fs::read_to_string(log.file("checkpoint")).unwrap();
    fs::write(other.file("checkpoint"), &checkpoint).unwrap();
    assert!(matches!(other.export().await, Err(ExportError::OtherLog { .. })));
    assert_eq!(fs::read_to_string(other.file("checkpoint")).unwrap(), checkpoint);
    let mut shorter = Exported::create(200).await;
    fs::write(shorter.file("checkpoint"), &checkpoint).unwrap();
    assert!(matches!(shorter.export().await, Err(ExportError::OtherLog { .. })));
}

#[tokio::test]
async fn what_the_database_lacks_is_not_vouched_for() {
    let mut log = Exported::create(300).await;
    log.bench.execute("set session_replication_role = replica".to_owned()).await;
    log.bench.execute("delete from ledger.transaction where seq = 299".to_owned()).await;
    assert!(matches!(log.export().await, Err(ExportError::Log(LogError::Missing))));
    assert!(!log.file("checkpoint").exists());
}
