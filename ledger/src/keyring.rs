//! Which keys may sign for a log, and for which of its sizes.
//!
//! A log begins with one key. Each further one is endorsed by an earlier one that is in force, in a signed note which says
//! from which size on: whoever trusts the first key can follow to the last. While both are in force, checkpoints carry the
//! signatures of both; then the earlier one is retired, and signs for no later size.

use sqlx::PgConnection;

use crate::Book;
use crate::checkpoint::note::{is_signed, sign_text};
use crate::keys::{SigningKey, VerifierKey};

mod store;

pub use store::{in_force, list, retire, rotate};

/// The first line of an endorsement: no checkpoint begins like that, as no origin has white space.
const ENDORSEMENT: &str = "bitnexus log key v1";

/// A public key and the sizes of the log that it may sign for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogKey {
    /// The key.
    pub key: VerifierKey,
    /// The first size.
    pub from_size: i64,
    /// The last size; none while it is in force.
    pub until_size: Option<i64>,
    /// The note by which an earlier key says that this one follows; none for the first.
    pub endorsement: Option<String>,
}

/// Why a key cannot sign, follow or be retired.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// What the database has is not a key.
    #[error("the log's list of keys is damaged: {0}")]
    Damaged(String),
    /// None of the keys that were given may sign for this size.
    #[error("none of the given keys may sign for {book} at {size} leaves; see `ledger key show`")]
    NotInForce {
        /// The book.
        book: Book,
        /// The size to sign for.
        size: i64,
    },
    /// The new key has another name: it would be another log.
    #[error("a log has one name: the new key is called {new}, the log {old}")]
    OtherName {
        /// The name of the log.
        old: String,
        /// The name of the new key.
        new: String,
    },
    /// Without this key nobody could sign.
    #[error("this is the only key in force: rotate first")]
    OnlyKey,
    /// The next key has signed nothing yet, so nobody could sign for the leaves up to it.
    #[error("the next key signs from {from_size} leaves on, and no checkpoint is there yet: wait for it")]
    TooEarly {
        /// The first size that the next key signs for.
        from_size: i64,
    },
    /// The log does not have this key, or has retired it.
    #[error("this key is not in force")]
    Unknown,
}

impl LogKey {
    /// Whether it may sign for this size.
    pub fn is_in_force(&self, size: i64) -> bool {
        self.from_size <= size && self.until_size.is_none_or(|until| size <= until)
    }
}

/// The keys of a log that follow from those which the verifier trusts.
#[derive(Clone, Debug, Default)]
pub struct Keyring {
    keys: Vec<LogKey>,
}

impl Keyring {
    /// The keys of `listed` that are trusted or endorsed, directly or through others, by a trusted one, and the trusted ones
    /// that are not listed, for every size.
    pub fn new(trusted: &[VerifierKey], mut listed: Vec<LogKey>) -> Keyring {
        listed.sort_by_key(|key| key.from_size);
        let mut keys: Vec<LogKey> = Vec::new();
        for key in listed {
            let is_endorsed = || keys.iter().any(|by| by.is_in_force(key.from_size - 1) && endorses(&by.key, &key));
            if trusted.contains(&key.key) || is_endorsed() {
                keys.push(key);
            }
        }
        for key in trusted {
            if keys.iter().all(|known| known.key != *key) {
                keys.push(LogKey { key: key.clone(), from_size: 1, until_size: None, endorsement: None });
            }
        }
        let is_kept = |key: &VerifierKey| keys.iter().any(|known| known.key == *key);
        assert!(trusted.iter().all(is_kept), "no trusted key is left out");
        Keyring { keys }
    }

    /// The keys of a book's log that follow from the trusted ones.
    ///
    /// # Errors
    /// When the database fails or has something else than keys.
    pub async fn load(conn: &mut PgConnection, book: Book, trusted: &[VerifierKey]) -> Result<Keyring, KeyringError> {
        Ok(Keyring::new(trusted, list(conn, book).await?))
    }

    /// Whether a key that was in force at this size signed the note.
    pub fn accepts(&self, size: i64, note: &str) -> bool {
        let in_force: Vec<VerifierKey> = self.in_force(size).map(|key| key.key.clone()).collect();
        is_signed(note, &in_force)
    }

    /// The keys that may sign for a size.
    pub fn in_force(&self, size: i64) -> impl Iterator<Item = &LogKey> {
        self.keys.iter().filter(move |key| key.is_in_force(size))
    }

    /// All of them, the earliest first.
    pub fn keys(&self) -> &[LogKey] {
        &self.keys
    }
}

/// The note by which `by` says that `key` follows.
pub fn endorse(by: &SigningKey, key: &VerifierKey, from_size: i64) -> String {
    assert_eq!(by.name(), key.name(), "a key follows within one log");
    sign_text(&endorsement_text(key, from_size), std::slice::from_ref(by))
}

/// Whether `by` signed that `key` follows from its size on.
fn endorses(by: &VerifierKey, key: &LogKey) -> bool {
    let text = endorsement_text(&key.key, key.from_size);
    let note = key.endorsement.as_deref().unwrap_or_default();
    let says_so = note.split_once("\n\n").is_some_and(|(said, _)| format!("{said}\n") == text);
    says_so && by.name() == key.key.name() && is_signed(note, std::slice::from_ref(by))
}

fn endorsement_text(key: &VerifierKey, from_size: i64) -> String {
    format!("{ENDORSEMENT}\n{}\nfrom {from_size}\n", key.to_text())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::note::Body;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed("bitnexus.example/main", &[seed; 32]).unwrap()
    }

    fn listed(key: &SigningKey, from_size: i64, until_size: Option<i64>, by: Option<&SigningKey>) -> LogKey {
        let endorsement = by.map(|by| endorse(by, &key.verifier(), from_size));
        LogKey { key: key.verifier(), from_size, until_size, endorsement }
    }

    fn note(size: u64, keys: &[SigningKey]) -> String {
        Body { origin: "bitnexus.example/main".to_owned(), size, root: [7; 32] }.sign_by(keys)
    }

    #[test]
    fn each_size_is_signed_by_the_key_that_was_in_force() {
        let (first, second, third) = (key(1), key(2), key(3));
        let list = vec![
            listed(&first, 1, Some(20), None),
            listed(&second, 11, Some(40), Some(&first)),
            listed(&third, 31, None, Some(&second)),
        ];
        let ring = Keyring::new(&[first.verifier()], list);
        let accepted = |size: u64, by: &SigningKey| ring.accepts(size as i64, &note(size, std::slice::from_ref(by)));
        for (size, by_first, by_second, by_third) in [
            (1, true, false, false),
            (11, true, true, false),
            (21, false, true, false),
            (31, false, true, true),
            (41, false, false, true),
        ] {
            let accepted = [&first, &second, &third].map(|key| accepted(size, key));
            assert_eq!(accepted, [by_first, by_second, by_third], "{size}");
        }
        assert!(ring.accepts(15, &note(15, &[second, first])), "both, in the overlap");
    }

    #[test]
    fn a_key_that_nobody_endorsed_is_none_of_the_log() {
        let (first, second, stranger) = (key(1), key(2), key(9));
        let good = listed(&second, 11, None, Some(&first));
        let forged = [
            listed(&stranger, 11, None, None),
            listed(&stranger, 11, None, Some(&stranger)),
            LogKey { endorsement: good.endorsement.clone(), ..listed(&stranger, 11, None, None) },
            LogKey { from_size: 5, ..good.clone() },
            LogKey { from_size: 30, endorsement: Some(endorse(&first, &second.verifier(), 30)), ..good.clone() },
        ];
        for forged in forged {
            let ring = Keyring::new(&[first.verifier()], vec![listed(&first, 1, Some(20), None), forged.clone()]);
            assert_eq!(ring.keys().len(), 1, "{forged:?}");
        }
        let ring = Keyring::new(&[first.verifier()], vec![listed(&first, 1, Some(20), None), good]);
        assert_eq!(ring.keys().len(), 2);
    }

    #[test]
    fn a_trusted_key_that_is_not_listed_counts_for_every_size() {
        let ring = Keyring::new(&[key(1).verifier()], Vec::new());
        assert!(ring.accepts(1, &note(1, &[key(1)])) && !ring.accepts(1, &note(1, &[key(2)])));
    }
}
