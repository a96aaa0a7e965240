//! Passwords: argon2id with the parameters that OWASP's Password Storage sheet names as the least (19 MiB, 2 passes).
//!
//! Hashing takes tens of milliseconds and 19 MiB: the caller runs it off the async threads and bounds how many at once.

mod common;

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};

use crate::validate::Findings;
pub use common::is_common;

/// The fewest characters of a password (NIST 800-63B-4, where it is the only factor).
pub const LENGTH_MIN: usize = 15;

/// The most characters: enough for any passphrase, too few to keep the processor busy.
pub const LENGTH_MAX: usize = 128;

/// Adds what is wrong with a password that somebody wants to have.
pub fn check(findings: &mut Findings, pointer: &str, password: &str) {
    findings.text(pointer, password, LENGTH_MIN, LENGTH_MAX);
    if is_common(password) {
        findings.add(pointer, "common_password", "must not be one of those that are tried first");
    }
}

fn hasher() -> Argon2<'static> {
    let params = Params::new(19_456, 2, 1, None).expect("the parameters are in range");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// The PHC text to store for `password`. Slow on purpose.
pub fn hash(password: &str) -> String {
    hash_with(&hasher(), password)
}

fn hash_with(hasher: &Argon2<'_>, password: &str) -> String {
    let mut random = [0; 16];
    getrandom::fill(&mut random).expect("the operating system gives random bytes");
    let salt = SaltString::encode_b64(&random).expect("16 bytes are a salt");
    let hash = hasher.hash_password(password.as_bytes(), &salt).expect("any bytes can be hashed");
    hash.to_string()
}

/// Whether `password` is the one behind `stored`. Takes as long where there is none, so that the time tells nothing.
pub fn verify(password: &str, stored: Option<&str>) -> bool {
    let Some(stored) = stored else {
        hash(password);
        return false;
    };
    let parsed = PasswordHash::new(stored).expect("we stored a PHC text");
    hasher().verify_password(password.as_bytes(), &parsed).is_ok()
}

/// A new PHC text for a password that was just found right, if `stored` was made with less work than is asked for now.
pub fn strengthened(password: &str, stored: &str) -> Option<String> {
    let parsed = PasswordHash::new(stored).expect("we stored a PHC text");
    let hasher = hasher();
    let wanted = hasher.params();
    let is_strong = Params::try_from(&parsed).is_ok_and(|had| {
        parsed.algorithm == Algorithm::Argon2id.ident()
            && had.m_cost() >= wanted.m_cost()
            && had.t_cost() >= wanted.t_cost()
            && had.p_cost() >= wanted.p_cost()
    });
    (!is_strong).then(|| hash_with(&hasher, password))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_password_fits() {
        let stored = hash("correct horse battery staple");
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(verify("correct horse battery staple", Some(&stored)));
        assert!(!verify("correct horse battery stapler", Some(&stored)));
        assert!(!verify("correct horse battery staple", None));
    }

    #[test]
    fn a_hash_that_took_too_little_work_is_made_anew() {
        let weak = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8_192, 1, 1, None).unwrap());
        let weak = hash_with(&weak, "correct horse battery staple");
        assert!(verify("correct horse battery staple", Some(&weak)), "it still fits");
        let strong = strengthened("correct horse battery staple", &weak).unwrap();
        assert!(verify("correct horse battery staple", Some(&strong)));
        assert_eq!(strengthened("correct horse battery staple", &strong), None);
    }
}
