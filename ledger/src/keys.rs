//! Keys that sign checkpoints: Ed25519, in the texts of C2SP signed-note.
//!
//! A signing key is `PRIVATE+KEY+<name>+<id>+<base64 of 0x01 and the 32 byte seed>`, a verifier key is
//! `<name>+<id>+<base64 of 0x01 and the 32 byte public key>`; the id is eight hexadecimal digits of
//! SHA-256(name, newline, 0x01, public key). The name is the origin of the log that the key signs for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signature, Signer as _};
use sha2::{Digest, Sha256};

/// The algorithm byte of Ed25519.
const ED25519: u8 = 0x01;
/// What a signing key's text starts with.
const PRIVATE: &str = "PRIVATE+KEY+";

/// Signs checkpoints of the log that its name is the origin of.
#[derive(Clone)]
pub struct SigningKey {
    name: String,
    key: ed25519_dalek::SigningKey,
}

/// Checks checkpoints of the log that its name is the origin of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    key: ed25519_dalek::VerifyingKey,
}

/// Why a text is not a key, or a name cannot name one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// A name is not empty and has neither white space nor a plus.
    #[error("the name of a key is not empty and has neither white space nor a plus")]
    Name,
    /// The text is not built as a key is.
    #[error("the text is not an Ed25519 key of a signed note")]
    Malformed,
    /// The id in the text is not the one of its name and key: one of them was changed.
    #[error("the key's id does not belong to its name and key")]
    Id,
}

impl SigningKey {
    /// Makes a new key for the log of this origin, such as `bitnexus.example/main`.
    ///
    /// # Errors
    /// When the origin is empty or has white space or a plus.
    ///
    /// # Panics
    /// When the operating system has no randomness to give.
    pub fn generate(origin: &str) -> Result<SigningKey, KeyError> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).expect("the operating system gives randomness");
        SigningKey::from_seed(origin, &seed)
    }

    /// The key of a seed; for tests and test vectors.
    ///
    /// # Errors
    /// When the origin is empty or has white space or a plus.
    pub fn from_seed(origin: &str, seed: &[u8; 32]) -> Result<SigningKey, KeyError> {
        check_name(origin)?;
        Ok(SigningKey { name: origin.to_owned(), key: ed25519_dalek::SigningKey::from_bytes(seed) })
    }

    /// Reads what [`SigningKey::to_text`] wrote; white space around it is ignored.
    ///
    /// # Errors
    /// When the text is not a key, or its id is not the one of its name and key.
    pub fn parse(text: &str) -> Result<SigningKey, KeyError> {
        let rest = text.trim().strip_prefix(PRIVATE).ok_or(KeyError::Malformed)?;
        let (name, id, seed) = split(rest, ED25519)?;
        let key = SigningKey::from_seed(name, &seed)?;
        if key.verifier().id() == id { Ok(key) } else { Err(KeyError::Id) }
    }

    /// The key as a text that must stay secret.
    pub fn to_text(&self) -> String {
        format!("{PRIVATE}{}", join(&self.name, self.verifier().id(), ED25519, self.key.as_bytes()))
    }

    /// The key that checks what this one signs.
    pub fn verifier(&self) -> VerifierKey {
        VerifierKey { name: self.name.clone(), key: self.key.verifying_key() }
    }

    /// The name, which is the origin of the log.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the key is made of.
    pub(crate) fn seed(&self) -> [u8; 32] {
        self.key.to_bytes()
    }

    /// The signature of a message, 64 bytes.
    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        let signature = self.key.sign(message);
        assert!(self.key.verifying_key().verify_strict(message, &signature).is_ok(), "a signature checks");
        signature.to_bytes()
    }
}

impl VerifierKey {
    /// Reads what [`VerifierKey::to_text`] wrote; white space around it is ignored.
    ///
    /// # Errors
    /// When the text is not a key, or its id is not the one of its name and key.
    pub fn parse(text: &str) -> Result<VerifierKey, KeyError> {
        let (name, id, key) = split(text.trim(), ED25519)?;
        let verifier = VerifierKey::from_bytes(name, &key)?;
        if verifier.id() == id { Ok(verifier) } else { Err(KeyError::Id) }
    }

    /// The key of these 32 bytes.
    pub(crate) fn from_bytes(name: &str, key: &[u8; 32]) -> Result<VerifierKey, KeyError> {
        check_name(name)?;
        let key = ed25519_dalek::VerifyingKey::from_bytes(key).map_err(|_| KeyError::Malformed)?;
        Ok(VerifierKey { name: name.to_owned(), key })
    }

    /// The key as a text to publish (a "vkey").
    pub fn to_text(&self) -> String {
        join(&self.name, self.id(), ED25519, self.key.as_bytes())
    }

    /// The public key, 32 bytes.
    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// The name, which is the origin of the log.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The id that a signature carries to say which key made it.
    pub fn id(&self) -> u32 {
        id_of(&self.name, ED25519, self.key.as_bytes())
    }

    /// Whether the signature is this key's over the message.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.key.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    }
}

/// The secret does not show in logs.
impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey").field("verifier", &self.verifier().to_text()).finish_non_exhaustive()
    }
}

fn check_name(name: &str) -> Result<(), KeyError> {
    let bad = name.is_empty() || name.contains('+') || name.contains(char::is_whitespace);
    if bad { Err(KeyError::Name) } else { Ok(()) }
}

/// The id of a key: the first bytes of the hash of its name, its algorithm and itself.
pub(crate) fn id_of(name: &str, algorithm: u8, key: &[u8; 32]) -> u32 {
    let hash = Sha256::new_with_prefix(name.as_bytes()).chain_update([b'\n', algorithm]).chain_update(key).finalize();
    u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]])
}

/// Takes `<name>+<id>+<base64>` apart. Base64 has a plus of its own, so only the first two divide.
pub(crate) fn split(text: &str, algorithm: u8) -> Result<(&str, u32, [u8; 32]), KeyError> {
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(KeyError::Malformed);
    };
    if id.len() != 8 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(KeyError::Malformed);
    }
    let id = u32::from_str_radix(id, 16).map_err(|_| KeyError::Malformed)?;
    match BASE64.decode(key).map_err(|_| KeyError::Malformed)?.split_first() {
        Some((found, key)) if *found == algorithm => Ok((name, id, key.try_into().map_err(|_| KeyError::Malformed)?)),
        _ => Err(KeyError::Malformed),
    }
}

/// Puts them together again.
pub(crate) fn join(name: &str, id: u32, algorithm: u8, key: &[u8; 32]) -> String {
    assert!(check_name(name).is_ok(), "a key has a name that its text can carry");
    assert!(!name.contains('+'), "the first plus ends the name");
    format!("{name}+{id:08x}+{}", BASE64.encode([&[algorithm], key.as_slice()].concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_read_back() {
        let key = SigningKey::generate("bitnexus.example/main").unwrap();
        assert_eq!(SigningKey::parse(&key.to_text()).unwrap().to_text(), key.to_text());
        assert_eq!(VerifierKey::parse(&(key.verifier().to_text() + "\n")), Ok(key.verifier()));
        assert!(!format!("{key:?}").contains(&key.to_text()), "the secret does not show");
    }

    #[test]
    fn the_published_example_of_the_format_reads_the_same() {
        // From the documentation of golang.org/x/mod/sumdb/note.
        let private = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
        let public = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        let key = SigningKey::parse(private).unwrap();
        assert_eq!((key.to_text().as_str(), key.verifier().to_text().as_str()), (private, public));
    }

    #[test]
    fn what_is_not_a_key_is_refused() {
        let key = SigningKey::from_seed("log", &[7; 32]).unwrap();
        assert_eq!(VerifierKey::parse(&key.verifier().to_text().replace("log", "lob")), Err(KeyError::Id));
        for text in ["", "log", "log+00000000", "log+0000000+AQ==", "log+00000000+AQ==", "log+00000000+%"] {
            assert_eq!(VerifierKey::parse(text), Err(KeyError::Malformed), "{text:?}");
        }
        for name in ["", "a b", "a+b", "a\n"] {
            assert_eq!(SigningKey::generate(name).err(), Some(KeyError::Name));
        }
        assert_eq!(SigningKey::parse(&key.verifier().to_text()).err(), Some(KeyError::Malformed));
    }
}
