//! The text of a checkpoint: C2SP tlog-checkpoint, signed as a C2SP signed-note.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::Book;
use crate::keys::{SigningKey, VerifierKey};
use crate::merkle::Hash;

/// What each signature line starts with: an em dash and a space.
const SIGNATURE: &str = "— ";

/// What a note says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// The name of the log.
    pub origin: String,
    /// The count of leaves.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

/// The origin of a book's log: the key's name, and for other books than the main one its place too, so that no note of one
/// book can pass for another's.
pub fn origin(book: Book, key_name: &str) -> String {
    if book == Book::MAIN { key_name.to_owned() } else { format!("{key_name}/{book}") }
}

impl Body {
    /// The text that is signed: three lines.
    pub fn to_text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, BASE64.encode(self.root))
    }

    /// The note with the key's signature.
    pub fn sign(&self, key: &SigningKey) -> String {
        self.sign_by(std::slice::from_ref(key))
    }

    /// The note with a signature of each key, in their order.
    pub fn sign_by(&self, keys: &[SigningKey]) -> String {
        let note = sign_text(&self.to_text(), keys);
        assert_eq!(Body::read(&note).as_ref(), Some(self), "a note reads back");
        note
    }

    /// What a note says, whoever signed it; `None` if it is not the note of a checkpoint.
    pub fn read(note: &str) -> Option<Body> {
        let (text, _) = note.split_once("\n\n")?;
        let mut lines = text.split('\n');
        let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
        let body = Body {
            origin: origin.to_owned(),
            size: size.parse().ok()?,
            root: BASE64.decode(root).ok()?.try_into().ok()?,
        };
        // The specification allows more lines; ours have none, and there is one way to write each number.
        (body.to_text() == format!("{text}\n")).then_some(body)
    }
}

/// Any text that ends its last line, with a signature of each key.
pub fn sign_text(text: &str, keys: &[SigningKey]) -> String {
    assert!(text.ends_with('\n') && !text.contains("\n\n"), "the text of a note ends its lines, none is empty");
    assert!(!keys.is_empty(), "a note is signed");
    let mut note = format!("{text}\n");
    for key in keys {
        let signature = [key.verifier().id().to_be_bytes().as_slice(), &key.sign(text.as_bytes())].concat();
        note.push_str(&line(key.name(), &signature));
    }
    note
}

/// A line of a signature.
pub(crate) fn line(name: &str, signature: &[u8]) -> String {
    format!("{SIGNATURE}{name} {}\n", BASE64.encode(signature))
}

/// The name of the signer and the bytes of a line of a signature, beginning with the key's id.
pub(crate) fn read_line(line: &str) -> Option<(&str, Vec<u8>)> {
    let (name, signature) = line.strip_prefix(SIGNATURE)?.split_once(' ')?;
    Some((name, BASE64.decode(signature).ok()?))
}

/// Whether one of the keys, under its own name and id, signed the note.
pub fn is_signed(note: &str, keys: &[VerifierKey]) -> bool {
    let Some((text, signatures)) = note.split_once("\n\n") else { return false };
    let text = format!("{text}\n");
    signatures.lines().any(|line| keys.iter().any(|key| is_signature(&text, line, key)))
}

fn is_signature(text: &str, line: &str, key: &VerifierKey) -> bool {
    let Some((name, signature)) = read_line(line) else { return false };
    let Some((id, signature)) = signature.split_first_chunk::<4>() else { return false };
    let Ok(signature) = <&[u8; 64]>::try_from(signature) else { return false };
    name == key.name() && u32::from_be_bytes(*id) == key.id() && key.verifies(text.as_bytes(), signature)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body() -> Body {
        Body { origin: origin(Book::MAIN, "bitnexus.example/main"), size: 7, root: [0xab; 32] }
    }

    #[test]
    fn a_note_is_signed_by_its_key_only() {
        let key = SigningKey::from_seed("bitnexus.example/main", &[1; 32]).unwrap();
        let other = SigningKey::from_seed("bitnexus.example/main", &[2; 32]).unwrap();
        let note = body().sign(&key);
        assert!(
            note.starts_with("bitnexus.example/main\n7\nq6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=\n\n— bitnexus")
        );
        assert!(is_signed(&note, &[other.verifier(), key.verifier()]));
        assert!(!is_signed(&note, &[other.verifier()]) && !is_signed(&note, &[]));
        assert!(!is_signed(&note.replace("\n7\n", "\n8\n"), &[key.verifier()]));
    }

    #[test]
    fn what_is_not_a_checkpoint_is_not_read() {
        let note = body().sign(&SigningKey::from_seed("bitnexus.example/main", &[1; 32]).unwrap());
        assert_eq!(Body::read(&note), Some(body()));
        for wrong in ["", "\n\n", "a\n1\n\n", &note.replace("\n7\n", "\n07\n"), &note.replace("\n\n", "\nmore\n\n")] {
            assert_eq!(Body::read(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn the_origin_names_the_book() {
        assert_eq!(origin(Book { shard: 3, id: 2 }, "bitnexus.example/main"), "bitnexus.example/main/3/2");
    }
}
