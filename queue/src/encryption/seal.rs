//! Seals a payload for one job, and opens it again.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::Keyring;

/// The name of the one algorithm that there is.
const ALGORITHM: &str = "xchacha20poly1305";
/// How long a nonce is, in bytes: long enough to be drawn at random for ever.
const NONCE_BYTES: usize = 24;
/// What the bound text begins with, so that no other use of the keys can be mistaken for this one.
const DOMAIN: &[u8] = b"queue payload 1\0";

/// The job that a payload is sealed for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Binding<'a> {
    pub(crate) id: Uuid,
    pub(crate) kind: &'a str,
    pub(crate) version: i16,
}

impl Binding<'_> {
    /// Unambiguous: all but the last part have a fixed length.
    fn bytes(&self) -> Vec<u8> {
        [DOMAIN, self.id.as_bytes(), &self.version.to_be_bytes(), self.kind.as_bytes()].concat()
    }
}

/// The stored form.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    enc: Sealed,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    alg: String,
    key: String,
    nonce: String,
    data: String,
}

/// Why a sealed payload does not open.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum OpenError {
    /// The keyring has no such key, or there is none.
    UnknownKey(String),
    /// It was sealed for another job, or changed, or sealed with another key of this id.
    Refused(String),
}

/// Seals the text for this job with the current key; returns the JSON to be stored.
pub(crate) fn seal(keyring: &Keyring, binding: Binding<'_>, text: &str) -> String {
    let key = keyring.current();
    let mut nonce = [0; NONCE_BYTES];
    getrandom::fill(&mut nonce).expect("the operating system has random numbers");
    let payload = Payload { msg: text.as_bytes(), aad: &binding.bytes() };
    let sealed = cipher(&key.bytes).encrypt(&XNonce::from(nonce), payload).expect("a payload is shorter than 256 GB");
    let sealed = Sealed {
        alg: ALGORITHM.to_owned(),
        key: key.id.clone(),
        nonce: STANDARD.encode(nonce),
        data: STANDARD.encode(sealed),
    };
    serde_json::to_string(&Envelope { enc: sealed }).expect("texts serialise")
}

/// Opens what was sealed for this job; none if the text is not sealed.
pub(crate) fn open(
    keyring: Option<&Keyring>,
    binding: Binding<'_>,
    stored: &str,
) -> Option<Result<Zeroizing<String>, OpenError>> {
    // Nearly all payloads are open ones, and are told by their beginning.
    if !stored.trim_start().trim_start_matches('{').trim_start().starts_with("\"enc\"") {
        return None;
    }
    let Ok(Envelope { enc: sealed }) = serde_json::from_str(stored) else { return None };
    (sealed.alg == ALGORITHM).then(|| open_sealed(keyring, binding, sealed))
}

fn open_sealed(
    keyring: Option<&Keyring>,
    binding: Binding<'_>,
    sealed: Sealed,
) -> Result<Zeroizing<String>, OpenError> {
    let Some(key) = keyring.and_then(|keyring| keyring.find(&sealed.key)) else {
        return Err(OpenError::UnknownKey(sealed.key));
    };
    let opened = || {
        let nonce: [u8; NONCE_BYTES] = STANDARD.decode(&sealed.nonce).ok()?.try_into().ok()?;
        let data = STANDARD.decode(&sealed.data).ok()?;
        let payload = Payload { msg: &data, aad: &binding.bytes() };
        let text = cipher(&key.bytes).decrypt(&XNonce::from(nonce), payload).ok()?;
        String::from_utf8(text).ok().map(Zeroizing::new)
    };
    opened().ok_or(OpenError::Refused(sealed.key))
}

fn cipher(key: &[u8; 32]) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encryption::Key;

    fn keyring(id: &str, digits: &str) -> Keyring {
        Keyring::new(Key::from_text(id, &digits.repeat(32)).unwrap())
    }

    const BINDING: Binding<'_> = Binding { id: Uuid::from_u128(7), kind: "demo.kind", version: 3 };

    #[test]
    fn what_is_sealed_opens_for_its_own_job_only() {
        let ring = keyring("k", "ab");
        let stored = seal(&ring, BINDING, r#"{"secret":1}"#);
        assert!(stored.starts_with(r#"{"enc":{"alg":"xchacha20poly1305","key":"k","nonce":""#), "{stored}");
        let open_as = |binding| open(Some(&ring), binding, &stored).unwrap();
        assert_eq!(*open_as(BINDING).unwrap(), r#"{"secret":1}"#);
        let others = [
            Binding { id: Uuid::from_u128(8), ..BINDING },
            Binding { kind: "demo.other", ..BINDING },
            Binding { version: 4, ..BINDING },
        ];
        for other in others {
            assert_eq!(open_as(other), Err(OpenError::Refused("k".to_owned())), "{other:?}");
        }
        assert_ne!(stored, seal(&ring, BINDING, r#"{"secret":1}"#), "no two look alike");
    }

    #[test]
    fn what_was_changed_or_belongs_to_another_key_does_not_open() {
        let stored = seal(&keyring("k", "ab"), BINDING, "1");
        let lacks = Err(OpenError::UnknownKey("k".to_owned()));
        assert_eq!(open(None, BINDING, &stored).unwrap(), lacks);
        assert_eq!(open(Some(&keyring("other", "ab")), BINDING, &stored).unwrap(), lacks);
        let refused = Err(OpenError::Refused("k".to_owned()));
        assert_eq!(open(Some(&keyring("k", "cd")), BINDING, &stored).unwrap(), refused);
        let mut envelope: Envelope = serde_json::from_str(&stored).unwrap();
        envelope.enc.data = STANDARD.encode(b"1234567890123456789");
        let changed = serde_json::to_string(&envelope).unwrap();
        assert_eq!(open(Some(&keyring("k", "ab")), BINDING, &changed).unwrap(), refused);
        envelope.enc.nonce = "short".to_owned();
        let changed = serde_json::to_string(&envelope).unwrap();
        assert_eq!(open(Some(&keyring("k", "ab")), BINDING, &changed).unwrap(), refused);
    }

    #[test]
    fn what_is_not_sealed_is_left_alone() {
        for text in ["1", r#"{"name":"enc"}"#, r#"{"enc":"x"}"#, r#"{"enc":{"alg":"x","key":"","nonce":"","data":""}}"#]
        {
            assert!(open(None, BINDING, text).is_none(), "{text}");
        }
        let spaced = seal(&keyring("k", "ab"), BINDING, "1").replace(":", " : ").replace('{', "{ ");
        assert_eq!(open(Some(&keyring("k", "ab")), BINDING, &spaced).unwrap().as_deref().unwrap(), "1");
    }
}
