//! Payloads that are stored sealed: XChaCha20-Poly1305 under a key of a [`Keyring`].
//!
//! A kind that says `const ENCRYPTED: bool = true` is enqueued with [`NewJob::encrypted`](crate::NewJob::encrypted) and
//! run by workers whose registry was given the keyring ([`Registry::keyring`](crate::Registry::keyring)). The table then
//! holds `{"enc": {"alg", "key", "nonce", "data"}}`. A sealed payload belongs to its job: it is bound to the job's id,
//! kind and version, so one that is put into another job, or changed, does not open. Keys are told apart by their ids
//! and replaced by [`rotate`]; a worker that lacks a key puts the job off and leaves it to one that has it.
//!
//! Sealed is the payload, and only it. What the job reports itself (progress, cursor, result, errors) is stored as it is.
//!
//! ```
//! use queue::encryption::{Key, Keyring};
//! use queue::{EnqueueError, Job, JobContext, JobError, NewJob, Registry};
//! use serde::{Deserialize, Serialize};
//!
//! /// Sends a letter to somebody's home.
//! #[derive(Serialize, Deserialize)]
//! struct SendLetter { address: String }
//!
//! impl Job for SendLetter {
//!     const KIND: &'static str = "demo.send_letter";
//!     const QUEUE: &'static str = "demo";
//!     const ENCRYPTED: bool = true;
//!
//!     async fn run(self, _: &mut JobContext<'_>) -> Result<(), JobError> {
//!         Ok(()) // What it gets is open again.
//!     }
//! }
//!
//! // 32 bytes as hex or base64, say from `openssl rand -hex 32`; `Key::from_file` reads the same from a file.
//! let key = Key::from_text("2a7f…", &"2a".repeat(32)).unwrap_err();
//! assert_eq!(key.to_string(), r#"a key's id has 1 to 64 letters, digits, dots, dashes or underscores, not "2a7f…""#);
//! let keyring = Keyring::new(Key::from_text("2026-11", &"2a".repeat(32))?);
//!
//! let letter = SendLetter { address: "12 St James's Square".to_owned() };
//! let job = NewJob::encrypted(&letter, &keyring)?; // To be enqueued like any other.
//! assert!(matches!(NewJob::of(&letter), Err(EnqueueError::KeyNeeded { .. })), "it never gets there in the clear");
//!
//! let registry = Registry::new().job::<SendLetter>().keyring(keyring);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod key;
mod keyring;
mod rotate;
mod seal;

pub use key::{Key, KeyError};
pub use keyring::Keyring;
pub use rotate::{Rotated, rotate};
pub(crate) use seal::{Binding, OpenError, open, seal};
