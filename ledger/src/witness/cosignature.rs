//! Cosignatures of checkpoints, version 1 (C2SP tlog-cosignature): Ed25519 over the checkpoint and the time.

use crate::checkpoint::note::{Body, line, read_line};
use crate::keys::{KeyError, SigningKey, VerifierKey, id_of, join, split};

/// The algorithm byte of a timestamped Ed25519 cosignature.
const COSIGNATURE_V1: u8 = 0x04;

/// What a cosigner's key's text starts with.
const PRIVATE: &str = "PRIVATE+KEY+";

/// Signs for a witness. Its text is that of a signing key with another algorithm byte, so that neither passes for the other.
#[derive(Clone, Debug)]
pub struct CosignerKey(SigningKey);

/// Checks what a witness signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CosignatureKey(VerifierKey);

impl CosignerKey {
    /// Makes a new key for a witness of this name, such as `witness.example/w1`.
    ///
    /// # Errors
    /// When the name is empty or has white space or a plus.
    ///
    /// # Panics
    /// When the operating system has no randomness to give.
    pub fn generate(name: &str) -> Result<CosignerKey, KeyError> {
        SigningKey::generate(name).map(CosignerKey)
    }

    /// The key of a seed; for tests.
    ///
    /// # Errors
    /// When the name is empty or has white space or a plus.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<CosignerKey, KeyError> {
        SigningKey::from_seed(name, seed).map(CosignerKey)
    }

    /// Reads what [`CosignerKey::to_text`] wrote; white space around it is ignored.
    ///
    /// # Errors
    /// When the text is not a cosigner's key, or its id is not the one of its name and key.
    pub fn parse(text: &str) -> Result<CosignerKey, KeyError> {
        let rest = text.trim().strip_prefix(PRIVATE).ok_or(KeyError::Malformed)?;
        let (name, id, seed) = split(rest, COSIGNATURE_V1)?;
        let key = CosignerKey::from_seed(name, &seed)?;
        if key.verifier().id() == id { Ok(key) } else { Err(KeyError::Id) }
    }

    /// The key as a text that must stay secret.
    pub fn to_text(&self) -> String {
        format!("{PRIVATE}{}", join(self.0.name(), self.verifier().id(), COSIGNATURE_V1, &self.0.seed()))
    }

    /// The key that checks what this one signs.
    pub fn verifier(&self) -> CosignatureKey {
        CosignatureKey(self.0.verifier())
    }

    /// The line to add to the note: signed at `time_s`, seconds since 1970.
    pub fn cosign(&self, body: &Body, time_s: u64) -> String {
        let signature = self.0.sign(message(body, time_s).as_bytes());
        let id = self.verifier().id().to_be_bytes();
        let line = line(self.0.name(), &[id.as_slice(), &time_s.to_be_bytes(), &signature].concat());
        assert_eq!(self.verifier().time_of(body, &line), Some(time_s), "a cosignature checks");
        line
    }
}

impl CosignatureKey {
    /// Reads what [`CosignatureKey::to_text`] wrote; white space around it is ignored.
    ///
    /// # Errors
    /// When the text is not a cosigner's key, or its id is not the one of its name and key.
    pub fn parse(text: &str) -> Result<CosignatureKey, KeyError> {
        let (name, id, key) = split(text.trim(), COSIGNATURE_V1)?;
        let key = CosignatureKey(VerifierKey::from_bytes(name, &key)?);
        if key.id() == id { Ok(key) } else { Err(KeyError::Id) }
    }

    /// The key as a text to publish (a "vkey").
    pub fn to_text(&self) -> String {
        join(self.0.name(), self.id(), COSIGNATURE_V1, self.0.as_bytes())
    }

    /// The name of the witness.
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// The id that a cosignature carries to say which key made it.
    pub fn id(&self) -> u32 {
        id_of(self.0.name(), COSIGNATURE_V1, self.0.as_bytes())
    }

    /// When the witness signed for the checkpoint, by its own clock, in seconds since 1970; none if the line is not its
    /// cosignature of it.
    pub fn time_of(&self, body: &Body, line: &str) -> Option<u64> {
        let (name, signature) = read_line(line.trim_end_matches('\n'))?;
        let (id, rest) = signature.split_first_chunk::<4>()?;
        let (time, signature) = rest.split_first_chunk::<8>()?;
        let (time_s, signature) = (u64::from_be_bytes(*time), <&[u8; 64]>::try_from(signature).ok()?);
        let is_own = name == self.0.name() && u32::from_be_bytes(*id) == self.id();
        (is_own && self.0.verifies(message(body, time_s).as_bytes(), signature)).then_some(time_s)
    }
}

/// What a witness signs: the time, and the checkpoint as it stands in the note.
fn message(body: &Body, time_s: u64) -> String {
    format!("cosignature/v1\ntime {time_s}\n{}", body.to_text())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cosignature_is_of_one_checkpoint_and_one_time() {
        let key = CosignerKey::from_seed("witness.example/w1", &[3; 32]).unwrap();
        let body = Body { origin: "bitnexus.example/main".to_owned(), size: 7, root: [1; 32] };
        let line = key.cosign(&body, 1_700_000_000);
        assert_eq!(key.verifier().time_of(&body, &line), Some(1_700_000_000));
        assert_eq!(key.verifier().time_of(&Body { size: 8, ..body.clone() }, &line), None);
        let (name, mut bytes) = read_line(line.trim_end()).unwrap();
        bytes[11] ^= 1;
        assert_eq!(key.verifier().time_of(&body, &super::line(name, &bytes)), None, "the time is signed too");
        let other = CosignerKey::from_seed("witness.example/w1", &[4; 32]).unwrap();
        assert_eq!(other.verifier().time_of(&body, &line), None);
    }

    #[test]
    fn a_cosigners_key_is_not_a_logs() {
        let key = CosignerKey::generate("witness.example/w1").unwrap();
        assert_eq!(CosignerKey::parse(&key.to_text()).unwrap().to_text(), key.to_text());
        assert_eq!(CosignatureKey::parse(&key.verifier().to_text()), Ok(key.verifier()));
        assert_eq!(VerifierKey::parse(&key.verifier().to_text()), Err(KeyError::Malformed));
        let log = SigningKey::generate("witness.example/w1").unwrap();
        assert_eq!(CosignerKey::parse(&log.to_text()).err(), Some(KeyError::Malformed));
    }
}
