//! What deliveries are signed with.

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// What every secret begins with.
const PREFIX: &str = "whsec_";

/// How long a secret is, in bytes; the standard has 24 to 64.
const BYTES: usize = 32;

/// For how long the old secret signs beside a new one.
pub const OLD_SIGNS_FOR: Duration = Duration::from_secs(24 * 3_600);

/// A secret: `whsec_` and the base64 of its bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A new one, at random.
    ///
    /// # Panics
    /// When the operating system has no random numbers.
    pub fn generate() -> Secret {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes).expect("the operating system has random numbers");
        Secret(format!("{PREFIX}{}", BASE64_STANDARD.encode(bytes)))
    }

    /// From its text; none if it is not one.
    pub fn parse(text: &str) -> Option<Secret> {
        let bytes = BASE64_STANDARD.decode(text.strip_prefix(PREFIX)?).ok()?;
        (24..=64).contains(&bytes.len()).then(|| Secret(text.to_owned()))
    }

    /// Its text, for its owner.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The bytes to sign with.
    ///
    /// # Panics
    /// Never: a secret is checked when it is read.
    pub fn bytes(&self) -> Vec<u8> {
        let text = self.0.strip_prefix(PREFIX).expect("a secret has its prefix");
        BASE64_STANDARD.decode(text).expect("a secret is base64")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_reads_back_and_shows_itself_to_nobody() {
        let secret = Secret::generate();
        assert_eq!(Secret::parse(secret.reveal()), Some(secret.clone()));
        assert_eq!(secret.bytes().len(), BYTES);
        assert_ne!(secret, Secret::generate());
        assert_eq!(format!("{secret:?}"), "Secret");
        for wrong in ["", "whsec_", "whsec_AAAA", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_!"] {
            assert_eq!(Secret::parse(wrong), None, "{wrong}");
        }
    }
}
