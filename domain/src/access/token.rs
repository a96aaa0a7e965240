//! Opaque credentials: `bns_…` for a session, `bnx_live_…` for an API key.
//!
//! A key carries a checksum, so that a scanner can tell a real one from noise, and a mistyped one is refused without a
//! look-up. Source: GitHub's token formats (2021-04-05).

use sha2::{Digest, Sha256};

/// The characters of a token, in the order of their value.
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Random characters in a token: 43 × log2 62 = 256 bits.
const RANDOM_CHARS: usize = 43;

/// Characters of the checksum: 62^6 is more than 2^32.
const CHECKSUM_CHARS: usize = 6;

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A log-in.
    Session,
    /// A program.
    ApiKey,
}

impl Purpose {
    fn prefix(self) -> &'static str {
        match self {
            Purpose::Session => "bns_",
            Purpose::ApiKey => "bnx_live_",
        }
    }
}

/// A well-formed credential; whether it is known is for the database to say.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A new random one.
    pub fn new(purpose: Purpose) -> Token {
        let mut text = purpose.prefix().to_owned();
        while text.len() < purpose.prefix().len() + RANDOM_CHARS {
            let mut bytes = [0; 64];
            getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
            // 248 is the largest multiple of 62 in a byte: above it some characters would come up more often.
            let fair = bytes.iter().filter(|byte| **byte < 248).map(|byte| char::from(BASE62[usize::from(byte % 62)]));
            text.extend(fair.take(purpose.prefix().len() + RANDOM_CHARS - text.len()));
        }
        let checksum = checksum(&text);
        Token(text + &checksum)
    }

    /// The token in `text`, if it has a known prefix, the right length and a right checksum.
    pub fn parse(text: &str) -> Option<Token> {
        let purpose = [Purpose::Session, Purpose::ApiKey].into_iter().find(|p| text.starts_with(p.prefix()))?;
        let length = purpose.prefix().len() + RANDOM_CHARS + CHECKSUM_CHARS;
        if text.len() != length || !text.is_ascii() {
            return None;
        }
        let (body, sum) = text.split_at(length - CHECKSUM_CHARS);
        (checksum(body) == sum).then(|| Token(text.to_owned()))
    }

    /// What is stored of it.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }

    /// The whole of it, to be shown to its owner once.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Its first characters, to recognise it by.
    pub fn hint(&self) -> &str {
        &self.0[..13]
    }
}

/// Six characters that stand for the CRC-32 of `body`.
fn checksum(body: &str) -> String {
    let mut rest = crc32fast::hash(body.as_bytes());
    let mut digits = [b'0'; CHECKSUM_CHARS];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[(rest % 62) as usize];
        rest /= 62;
    }
    digits.iter().map(|digit| char::from(*digit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_token_is_well_formed_and_unlike_any_other() {
        for purpose in [Purpose::Session, Purpose::ApiKey] {
            let (one, other) = (Token::new(purpose), Token::new(purpose));
            assert!(Token::parse(one.reveal()).is_some());
            assert_ne!(one.hash(), other.hash());
        }
    }

    #[test]
    fn what_is_not_a_token_is_told_without_the_database() {
        let good = Token::new(Purpose::ApiKey).reveal().to_owned();
        let mistyped = good.replacen(&good[12..13], if &good[12..13] == "a" { "b" } else { "a" }, 1);
        for bad in ["", "bns_", "bnx_live_", "something", &good[1..], &mistyped, &good.replace("bnx", "bny"), "bns_ä"]
        {
            assert!(Token::parse(bad).is_none(), "{bad}");
        }
    }
}
