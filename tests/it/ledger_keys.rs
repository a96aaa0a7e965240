//! The keys of a log: one follows another, both sign for a while, and each checkpoint is by one that was in force.

use ledger::Book;
use ledger::checkpoint::note::is_signed;
use ledger::checkpoint::{Checkpoint, SignError, sign_head_by};
use ledger::keyring::{self, Keyring, KeyringError};
use ledger::keys::SigningKey;

use crate::ledger_kit::{Bench, transfer};

const NAME: &str = "bitnexus.example/main";

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(NAME, &[seed; 32]).unwrap()
}

async fn grow(bench: &mut Bench) {
    let posting = transfer(bench.cash, bench.wallets[0], 1);
    bench.post_one(&posting).await;
}

/// Adds a leaf and signs for it with what a file has.
async fn sign(bench: &mut Bench, keys: &[SigningKey]) -> Result<Checkpoint, SignError> {
    grow(bench).await;
    Ok(sign_head_by(&mut bench.conn, Book::MAIN, keys).await?.expect("there is a new leaf"))
}

/// Which of the keys signed.
fn signers(checkpoint: &Checkpoint, keys: &[&SigningKey]) -> Vec<bool> {
    keys.iter().map(|key| is_signed(&checkpoint.note, &[key.verifier()])).collect()
}

#[tokio::test]
async fn a_new_key_signs_beside_the_old_one_until_that_is_retired() {
    let mut bench = Bench::create(1).await;
    let (old, new) = (key(1), key(2));
    let (both, all) = ([new.clone(), old.clone()], [&old, &new]);
    let before = sign(&mut bench, std::slice::from_ref(&old)).await.unwrap();
    assert_eq!(signers(&before, &all), [true, false]);
    let added = keyring::rotate(&mut bench.conn, Book::MAIN, &old, &new.verifier()).await.unwrap();
    assert_eq!(added.from_size, 2);
    let again = keyring::rotate(&mut bench.conn, Book::MAIN, &old, &new.verifier()).await.unwrap();
    assert_eq!(again, added, "a rotation that was cut off is repeated");
    let early = keyring::retire(&mut bench.conn, Book::MAIN, &old.verifier()).await;
    assert!(matches!(early, Err(KeyringError::TooEarly { from_size: 2 })), "{early:?}");
    let overlap = sign(&mut bench, &both).await.unwrap();
    assert_eq!(signers(&overlap, &all), [true, true]);
    assert_eq!(keyring::retire(&mut bench.conn, Book::MAIN, &old.verifier()).await.unwrap(), 2);
    let after = sign(&mut bench, &both).await.unwrap();
    assert_eq!(signers(&after, &all), [false, true], "a file that still has the old key signs with the new one alone");

    let ring = Keyring::load(&mut bench.conn, Book::MAIN, &[old.verifier()]).await.unwrap();
    for checkpoint in [&before, &overlap, &after] {
        assert!(ring.accepts(checkpoint.size, &checkpoint.note), "{} by whoever trusts the first key", checkpoint.size);
    }
    let late = ledger::checkpoint::note::Body::read(&after.note).unwrap().sign(&old);
    assert!(!ring.accepts(after.size, &late), "the old key signs for nothing any more");
}

#[tokio::test]
async fn a_key_that_nobody_endorsed_signs_nothing() {
    let mut bench = Bench::create(1).await;
    sign(&mut bench, &[key(1)]).await.unwrap();
    let refused = sign(&mut bench, &[key(2)]).await;
    assert!(matches!(refused, Err(SignError::Keyring(KeyringError::NotInForce { size: 2, .. }))), "{refused:?}");
    let stranger = keyring::rotate(&mut bench.conn, Book::MAIN, &key(2), &key(3).verifier()).await;
    assert!(matches!(stranger, Err(KeyringError::Unknown)), "{stranger:?}");
    let other = SigningKey::from_seed("other.example/log", &[3; 32]).unwrap();
    let other = keyring::rotate(&mut bench.conn, Book::MAIN, &key(1), &other.verifier()).await;
    assert!(matches!(other, Err(KeyringError::OtherName { .. })), "{other:?}");
    let only = keyring::retire(&mut bench.conn, Book::MAIN, &key(1).verifier()).await;
    assert!(matches!(only, Err(KeyringError::OnlyKey)), "{only:?}");
}

#[tokio::test]
async fn the_list_of_keys_only_grows() {
    let mut bench = Bench::create(1).await;
    sign(&mut bench, &[key(1)]).await.unwrap();
    keyring::rotate(&mut bench.conn, Book::MAIN, &key(1), &key(2).verifier()).await.unwrap();
    sign(&mut bench, &[key(2), key(1)]).await.unwrap();
    keyring::retire(&mut bench.conn, Book::MAIN, &key(1).verifier()).await.unwrap();
    for statement in [
        "delete from ledger.log_key",
        "truncate ledger.log_key",
        "update ledger.log_key set from_size = 1",
        "update ledger.log_key set vkey = vkey || 'x'",
        "update ledger.log_key set until_size = null",
        "update ledger.log_key set until_size = 100 where until_size is not null",
    ] {
        let refused = sqlx::query(statement).execute(&mut bench.conn).await.expect_err(statement).to_string();
        assert!(refused.contains("is append-only"), "{statement}: {refused}");
    }
    let second = "insert into ledger.log_key (book, vkey, from_size) values (1, 'another first key', 1)";
    assert!(sqlx::query(second).execute(&mut bench.conn).await.is_err(), "a log has one first key");
}
