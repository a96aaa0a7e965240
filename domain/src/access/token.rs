//! Opaque credentials: `bns_…` for a session, `bnx_live_…` for an API key, `bnr_…` to refresh a session, `bnp_…` to set a new
//! password.
//!
//! A key carries a checksum, so that a scanner can tell a real one from noise, and a mistyped one is refused without a
//! look-up. Source: GitHub's token formats (2021-04-05).
//!
//! A refresh token has two halves. The first is the same for all refresh tokens of a session, so that one that was used before is known
//! for what it is without keeping them all. The second, and the bearer token beside it, follow from the refresh token before and a seed
//! that only the database has: so the same question, asked again because the answer was lost, has the same answer, and neither a stolen
//! token nor a stolen database can tell what comes next.

use sha2::{Digest, Sha256};

/// The characters of a token, in the order of their value.
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Random characters in a token, or in one half of a refresh token: 43 × log2 62 = 256 bits.
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
    /// Going on with a log-in.
    Refresh,
    /// Setting a new password.
    PasswordReset,
}

impl Purpose {
    /// Those that authenticate a request.
    const BEARER: [Purpose; 2] = [Purpose::Session, Purpose::ApiKey];

    fn prefix(self) -> &'static str {
        match self {
            Purpose::Session => "bns_",
            Purpose::ApiKey => "bnx_live_",
            Purpose::Refresh => "bnr_",
            Purpose::PasswordReset => "bnp_",
        }
    }

    fn random_chars(self) -> usize {
        if self == Purpose::Refresh { 2 * RANDOM_CHARS } else { RANDOM_CHARS }
    }

    /// Characters of a token of this purpose.
    pub fn length(self) -> usize {
        self.prefix().len() + self.random_chars() + CHECKSUM_CHARS
    }
}

/// A well-formed credential; whether it is known is for the database to say.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A new random one.
    pub fn new(purpose: Purpose) -> Token {
        let random = || {
            let mut bytes = [0; 32];
            getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
            bytes
        };
        Token::filled(purpose.prefix().to_owned(), purpose, random)
    }

    /// A token that begins with `text` and goes on with characters made of `bytes`.
    fn filled(mut text: String, purpose: Purpose, mut bytes: impl FnMut() -> [u8; 32]) -> Token {
        let length = purpose.length() - CHECKSUM_CHARS;
        while text.len() < length {
            let bytes = bytes();
            // 248 is the largest multiple of 62 in a byte: above it some characters would come up more often.
            let fair = bytes.iter().filter(|byte| **byte < 248).map(|byte| char::from(BASE62[usize::from(byte % 62)]));
            text.extend(fair.take(length - text.len()));
        }
        let checksum = checksum(&text);
        Token(text + &checksum)
    }

    /// The bearer token in `text`, if it has the prefix of one, the right length and a right checksum.
    pub fn parse(text: &str) -> Option<Token> {
        Purpose::BEARER.into_iter().find_map(|purpose| Token::parse_as(purpose, text))
    }

    /// The token of this purpose in `text`, if it has its prefix, the right length and a right checksum.
    pub fn parse_as(purpose: Purpose, text: &str) -> Option<Token> {
        if !text.starts_with(purpose.prefix()) || text.len() != purpose.length() || !text.is_ascii() {
            return None;
        }
        let (body, sum) = text.split_at(text.len() - CHECKSUM_CHARS);
        (checksum(body) == sum).then(|| Token(text.to_owned()))
    }

    /// What is stored of it.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }

    /// What is stored of the half that all refresh tokens of a session share.
    pub fn family_hash(&self) -> [u8; 32] {
        Sha256::digest(self.family().as_bytes()).into()
    }

    fn family(&self) -> &str {
        &self.0[..Purpose::Refresh.prefix().len() + RANDOM_CHARS]
    }

    /// The token of this purpose that follows a refresh token: the same one each time.
    pub fn following(&self, purpose: Purpose, seed: &[u8]) -> Token {
        let start = if purpose == Purpose::Refresh { self.family() } else { purpose.prefix() };
        let mut count = 0_u32;
        let bytes = || {
            count += 1;
            let parts: [&[u8]; 4] = [seed, purpose.prefix().as_bytes(), &count.to_be_bytes(), self.0.as_bytes()];
            let mut hash = Sha256::new();
            parts.iter().for_each(|part| hash.update(part));
            hash.finalize().into()
        };
        Token::filled(start.to_owned(), purpose, bytes)
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
        for purpose in [Purpose::Session, Purpose::ApiKey, Purpose::Refresh, Purpose::PasswordReset] {
            let (one, other) = (Token::new(purpose), Token::new(purpose));
            assert!(Token::parse_as(purpose, one.reveal()).is_some());
            assert_ne!(one.hash(), other.hash());
            assert_eq!(Token::parse(one.reveal()).is_some(), Purpose::BEARER.contains(&purpose));
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

    #[test]
    fn what_follows_a_refresh_token_is_the_same_each_time_and_of_its_family() {
        let (first, seed) = (Token::new(Purpose::Refresh), [7; 32]);
        let next = first.following(Purpose::Refresh, &seed);
        assert!(Token::parse_as(Purpose::Refresh, next.reveal()).is_some());
        assert!(next == first.following(Purpose::Refresh, &seed) && next != first);
        assert_eq!(next.family_hash(), first.family_hash());
        assert!(next != first.following(Purpose::Refresh, &[8; 32]), "the seed is part of it");
        let bearer = first.following(Purpose::Session, &seed);
        assert!(Token::parse(bearer.reveal()).is_some());
        assert!(!next.reveal().contains(&bearer.reveal()[4..20]), "one does not tell the other");
    }
}
