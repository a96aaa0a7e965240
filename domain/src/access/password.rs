//! Passwords: argon2id with the parameters that OWASP's Password Storage sheet names as the least (19 MiB, 2 passes).
//!
//! Hashing takes tens of milliseconds and 19 MiB: the caller runs it off the async threads and bounds how many at once.

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};

/// The fewest characters of a password (NIST 800-63B-4, where it is the only factor).
pub const LENGTH_MIN: usize = 15;

/// The most characters: enough for any passphrase, too few to keep the processor busy.
pub const LENGTH_MAX: usize = 128;

fn hasher() -> Argon2<'static> {
    let params = Params::new(19_456, 2, 1, None).expect("the parameters are in range");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// The PHC text to store for `password`. Slow on purpose.
pub fn hash(password: &str) -> String {
    let mut random = [0; 16];
    getrandom::fill(&mut random).expect("the operating system gives random bytes");
    let salt = SaltString::encode_b64(&random).expect("16 bytes are a salt");
    let hash = hasher().hash_password(password.as_bytes(), &salt).expect("any bytes can be hashed");
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
}
