//! One key and its id.

use std::fmt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::engine::{DecodePaddingMode, general_purpose};
use zeroize::Zeroizing;

/// How long a key is, in bytes.
const KEY_BYTES: usize = 32;
/// How long a key's id may be, in characters.
const ID_CHARS_MAX: usize = 64;

/// A key for payloads: 32 bytes, wiped from memory when it is dropped, and an id by which payloads name it.
#[derive(Clone)]
pub struct Key {
    pub(super) id: String,
    pub(super) bytes: Zeroizing<[u8; KEY_BYTES]>,
}

/// Why something is no key. None of these shows it.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The id is not one.
    #[error("a key's id has 1 to {ID_CHARS_MAX} letters, digits, dots, dashes or underscores, not {0:?}")]
    Id(String),
    /// The text is neither 64 hexadecimal digits nor 32 bytes of base64.
    #[error("the key {id:?} is neither {} hexadecimal digits nor {KEY_BYTES} bytes of base64", 2 * KEY_BYTES)]
    Text {
        /// The key's id.
        id: String,
    },
    /// The file cannot be read.
    #[error("the key {id:?} cannot be read from {}", path.display())]
    File {
        /// The key's id.
        id: String,
        /// The file.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: std::io::Error,
    },
    /// Two keys of a keyring have the same id.
    #[error("two keys have the id {0:?}")]
    Repeated(String),
}

impl Key {
    /// From 64 hexadecimal digits, or 32 bytes in base64 of either alphabet; space around it does not matter.
    ///
    /// # Errors
    /// [`KeyError::Id`] and [`KeyError::Text`].
    pub fn from_text(id: &str, text: &str) -> Result<Key, KeyError> {
        let is_plain = |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
        if id.is_empty() || id.len() > ID_CHARS_MAX || !id.chars().all(is_plain) {
            return Err(KeyError::Id(id.to_owned()));
        }
        let text = text.trim();
        let bytes = from_hex(text).or_else(|| from_base64(text));
        let bytes = bytes.ok_or_else(|| KeyError::Text { id: id.to_owned() })?;
        Ok(Key { id: id.to_owned(), bytes })
    }

    /// From a file that holds such a text.
    ///
    /// # Errors
    /// [`KeyError::File`], and as [`Key::from_text`].
    pub fn from_file(id: &str, path: impl AsRef<Path>) -> Result<Key, KeyError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map(Zeroizing::new);
        let text = text.map_err(|source| KeyError::File { id: id.to_owned(), path: path.to_owned(), source })?;
        Key::from_text(id, &text)
    }

    /// The id that payloads name it by.
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:?})", self.id)
    }
}

fn from_hex(text: &str) -> Option<Zeroizing<[u8; KEY_BYTES]>> {
    if text.len() != 2 * KEY_BYTES || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        let digits = std::str::from_utf8(digits).ok()?;
        *byte = u8::from_str_radix(digits, 16).ok()?;
    }
    Some(bytes)
}

fn from_base64(text: &str) -> Option<Zeroizing<[u8; KEY_BYTES]>> {
    const CONFIG: GeneralPurposeConfig = general_purpose::PAD.with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let alphabets = [base64::alphabet::STANDARD, base64::alphabet::URL_SAFE];
    let decode = |alphabet| GeneralPurpose::new(alphabet, CONFIG).decode(text).map(Zeroizing::new).ok();
    let decoded = alphabets.iter().find_map(decode)?;
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    if decoded.len() != KEY_BYTES {
        return None;
    }
    bytes.copy_from_slice(&decoded);
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_from_hex_and_from_base64() {
        let expected: [u8; KEY_BYTES] = std::array::from_fn(|index| 0xfb ^ index as u8);
        let hex: String = expected.iter().map(|byte| format!("{byte:02X}")).collect();
        let base64 = general_purpose::STANDARD.encode(expected);
        let url_safe = general_purpose::URL_SAFE_NO_PAD.encode(expected);
        assert_ne!(base64.trim_end_matches('='), url_safe, "the sample has characters that differ");
        for text in [hex.clone(), hex.to_lowercase(), base64, url_safe, format!("  {hex}\n")] {
            assert_eq!(*Key::from_text("k", &text).unwrap().bytes, expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_shown() {
        for text in ["", "secret", &"ab".repeat(31), &"ab".repeat(33), &"é".repeat(32), &"+a".repeat(32)] {
            let error = Key::from_text("k", text).unwrap_err();
            assert!(matches!(error, KeyError::Text { .. }), "{text}");
            assert!(text.is_empty() || !format!("{error} {error:?}").contains(text), "{error}");
        }
        for id in ["", "a b", "é", &"a".repeat(65)] {
            assert!(matches!(Key::from_text(id, &"ab".repeat(32)), Err(KeyError::Id(_))), "{id}");
        }
        let missing = Key::from_file("k", "no/such/file").unwrap_err();
        assert!(matches!(missing, KeyError::File { .. }), "{missing}");
    }

    #[test]
    fn nothing_shows_a_key() {
        let key = Key::from_text("2026-11", &"ab".repeat(32)).unwrap();
        assert_eq!(format!("{key:?}"), r#"Key("2026-11")"#);
    }
}
