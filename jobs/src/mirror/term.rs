//! Terms of Erlang in the external term format: those that are sent, and any that may come back.
//!
//! What the peer says is not believed: a count is held against the bytes that are there before room is made for it, and
//! terms are nested only so deep.

use std::fmt;

/// Terms are nested at most so deep.
const DEPTH_MAX: usize = 64;

/// The version of the format, before each term.
const VERSION: u8 = 131;

/// What stands before each kind of term; the names are those of the format's description.
mod tag {
    pub(super) const NEW_FLOAT: u8 = 70;
    pub(super) const BIT_BINARY: u8 = 77;
    pub(super) const NEW_PID: u8 = 88;
    pub(super) const NEW_PORT: u8 = 89;
    pub(super) const NEWER_REFERENCE: u8 = 90;
    pub(super) const SMALL_INTEGER: u8 = 97;
    pub(super) const INTEGER: u8 = 98;
    pub(super) const ATOM: u8 = 100;
    pub(super) const SMALL_TUPLE: u8 = 104;
    pub(super) const LARGE_TUPLE: u8 = 105;
    pub(super) const NIL: u8 = 106;
    pub(super) const STRING: u8 = 107;
    pub(super) const LIST: u8 = 108;
    pub(super) const BINARY: u8 = 109;
    pub(super) const SMALL_BIG: u8 = 110;
    pub(super) const LARGE_BIG: u8 = 111;
    pub(super) const NEW_FUN: u8 = 112;
    pub(super) const EXPORT: u8 = 113;
    pub(super) const SMALL_ATOM: u8 = 115;
    pub(super) const MAP: u8 = 116;
    pub(super) const ATOM_UTF8: u8 = 118;
    pub(super) const SMALL_ATOM_UTF8: u8 = 119;
    pub(super) const V4_PORT: u8 = 120;
}

/// A term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Term {
    /// A whole number of up to 64 bits.
    Integer(i64),
    /// An atom of up to 255 bytes.
    Atom(String),
    /// Bytes; texts are UTF-8 here.
    Binary(Vec<u8>),
    /// A proper list.
    List(Vec<Term>),
    /// A tuple.
    Tuple(Vec<Term>),
    /// A map; its order says nothing.
    Map(Vec<(Term, Term)>),
    /// A process.
    Pid {
        /// The node that it lives on.
        node: String,
        /// Its number, its serial and the node's creation.
        words: [u32; 3],
    },
    /// A reference.
    Reference {
        /// The node that made it.
        node: String,
        /// That node's creation.
        creation: u32,
        /// Its number.
        words: Vec<u32>,
    },
    /// `fun module:function/arity`.
    Export(String, String, u8),
    /// Something that we have no use for, by what it is.
    Other(&'static str),
}

/// Bytes that are no term, or none that is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the peer sent no term of the external format: {0}")]
pub struct TermError(&'static str);

impl Term {
    /// An atom of this name.
    pub fn atom(name: &str) -> Term {
        Term::Atom(name.to_owned())
    }

    /// A text as a binary.
    pub fn text(text: impl Into<String>) -> Term {
        Term::Binary(text.into().into_bytes())
    }

    /// A map with atoms as keys.
    pub fn map<const N: usize>(members: [(&str, Term); N]) -> Term {
        Term::Map(members.into_iter().map(|(key, value)| (Term::atom(key), value)).collect())
    }

    /// Whether it is the atom of this name.
    pub fn is_atom(&self, name: &str) -> bool {
        matches!(self, Term::Atom(atom) if atom == name)
    }

    /// The value of a map under an atom.
    pub fn get(&self, key: &str) -> Option<&Term> {
        let Term::Map(members) = self else { return None };
        members.iter().find(|(name, _)| name.is_atom(key)).map(|(_, value)| value)
    }

    /// Writes it with the format's version before it.
    pub fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.push(VERSION);
        self.write(bytes);
    }

    fn write(&self, bytes: &mut Vec<u8>) {
        match self {
            Term::Integer(value) => write_integer(*value, bytes),
            Term::Atom(name) => write_atom(name, bytes),
            Term::Binary(binary) => {
                bytes.push(tag::BINARY);
                bytes.extend_from_slice(&count(binary.len()).to_be_bytes());
                bytes.extend_from_slice(binary);
            }
            Term::List(items) => write_list(items, bytes),
            Term::Tuple(items) => {
                bytes.push(tag::SMALL_TUPLE);
                bytes.push(u8::try_from(items.len()).expect("we write short tuples"));
                items.iter().for_each(|item| item.write(bytes));
            }
            Term::Map(members) => {
                bytes.push(tag::MAP);
                bytes.extend_from_slice(&count(members.len()).to_be_bytes());
                for (key, value) in members {
                    key.write(bytes);
                    value.write(bytes);
                }
            }
            Term::Pid { node, words } => {
                bytes.push(tag::NEW_PID);
                write_atom(node, bytes);
                words.iter().for_each(|word| bytes.extend_from_slice(&word.to_be_bytes()));
            }
            Term::Reference { node, creation, words } => {
                bytes.push(tag::NEWER_REFERENCE);
                bytes.extend_from_slice(&(words.len() as u16).to_be_bytes());
                write_atom(node, bytes);
                bytes.extend_from_slice(&creation.to_be_bytes());
                words.iter().for_each(|word| bytes.extend_from_slice(&word.to_be_bytes()));
            }
            Term::Export(module, function, arity) => {
                bytes.push(tag::EXPORT);
                write_atom(module, bytes);
                write_atom(function, bytes);
                write_integer(i64::from(*arity), bytes);
            }
            Term::Other(what) => unreachable!("only the peer sends a {what}"),
        }
    }

    /// Reads a term with its version, and returns what stands behind it.
    ///
    /// # Errors
    /// When the bytes are no term, or one that is nested too deep.
    pub fn decode(bytes: &[u8]) -> Result<(Term, &[u8]), TermError> {
        let mut reader = Reader { rest: bytes };
        if reader.byte()? != VERSION {
            return Err(TermError("another version"));
        }
        let term = reader.term(0)?;
        Ok((term, reader.rest))
    }
}

/// As Erlang would print it, more or less; long ones are cut.
impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const ITEMS_MAX: usize = 8;
        let list = |f: &mut fmt::Formatter<'_>, items: &[Term]| {
            for (index, item) in items.iter().take(ITEMS_MAX).enumerate() {
                write!(f, "{}{item}", if index == 0 { "" } else { "," })?;
            }
            f.write_str(if items.len() > ITEMS_MAX { ",…" } else { "" })
        };
        match self {
            Term::Integer(value) => write!(f, "{value}"),
            Term::Atom(name) => f.write_str(name),
            Term::Binary(bytes) => write!(f, "<<{:?}>>", String::from_utf8_lossy(&bytes[..bytes.len().min(100)])),
            Term::List(items) => {
                f.write_str("[")?;
                list(f, items)?;
                f.write_str("]")
            }
            Term::Tuple(items) => {
                f.write_str("{")?;
                list(f, items)?;
                f.write_str("}")
            }
            Term::Map(members) => write!(f, "#{{{} members}}", members.len()),
            Term::Pid { words, .. } => write!(f, "<{}.{}>", words[0], words[1]),
            Term::Reference { .. } => f.write_str("#Ref"),
            Term::Export(module, function, arity) => write!(f, "fun {module}:{function}/{arity}"),
            Term::Other(what) => write!(f, "#{what}"),
        }
    }
}

/// What we write is far smaller than the format allows.
fn count(length: usize) -> u32 {
    u32::try_from(length).expect("we write less than 4 GiB")
}

fn write_integer(value: i64, bytes: &mut Vec<u8>) {
    if let Ok(small) = u8::try_from(value) {
        bytes.extend_from_slice(&[tag::SMALL_INTEGER, small]);
    } else if let Ok(middle) = i32::try_from(value) {
        bytes.push(tag::INTEGER);
        bytes.extend_from_slice(&middle.to_be_bytes());
    } else {
        let magnitude = value.unsigned_abs().to_le_bytes();
        let length = magnitude.iter().rposition(|byte| *byte != 0).map_or(1, |last| last + 1);
        bytes.extend_from_slice(&[tag::SMALL_BIG, length as u8, u8::from(value < 0)]);
        bytes.extend_from_slice(&magnitude[..length]);
    }
}

fn write_atom(name: &str, bytes: &mut Vec<u8>) {
    bytes.push(tag::SMALL_ATOM_UTF8);
    bytes.push(u8::try_from(name.len()).expect("we write atoms of up to 255 bytes"));
    bytes.extend_from_slice(name.as_bytes());
}

fn write_list(items: &[Term], bytes: &mut Vec<u8>) {
    if !items.is_empty() {
        bytes.push(tag::LIST);
        bytes.extend_from_slice(&count(items.len()).to_be_bytes());
        items.iter().for_each(|item| item.write(bytes));
    }
    bytes.push(tag::NIL);
}

/// What is left to read.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], TermError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(TermError("it is cut off"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, TermError> {
        Ok(self.take(1)?[0])
    }

    fn short(&mut self) -> Result<usize, TermError> {
        let bytes = self.take(2)?;
        Ok(usize::from(u16::from_be_bytes([bytes[0], bytes[1]])))
    }

    fn word(&mut self) -> Result<u32, TermError> {
        let bytes = self.take(4)?;
        Ok(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn length(&mut self) -> Result<usize, TermError> {
        Ok(self.word()? as usize)
    }

    /// Each of the terms takes a byte at least, so there is never room made for more than was sent.
    fn terms(&mut self, count: usize, depth: usize) -> Result<Vec<Term>, TermError> {
        if count > self.rest.len() {
            return Err(TermError("it counts more terms than it has"));
        }
        let mut terms = Vec::with_capacity(count);
        for _ in 0..count {
            terms.push(self.term(depth)?);
        }
        Ok(terms)
    }

    fn term(&mut self, depth: usize) -> Result<Term, TermError> {
        if depth > DEPTH_MAX {
            return Err(TermError("it is nested too deep"));
        }
        Ok(match self.byte()? {
            tag::SMALL_INTEGER => Term::Integer(i64::from(self.byte()?)),
            tag::INTEGER => Term::Integer(i64::from(self.word()?.cast_signed())),
            tag::SMALL_BIG => {
                let length = usize::from(self.byte()?);
                self.big(length)?
            }
            tag::LARGE_BIG => {
                let length = self.length()?;
                self.big(length)?
            }
            tag::NIL => Term::List(Vec::new()),
            tag::LIST => self.list(depth)?,
            tag::STRING => {
                let length = self.short()?;
                Term::List(self.take(length)?.iter().map(|byte| Term::Integer(i64::from(*byte))).collect())
            }
            tag::BINARY => {
                let length = self.length()?;
                Term::Binary(self.take(length)?.to_vec())
            }
            tag::SMALL_TUPLE => {
                let count = usize::from(self.byte()?);
                Term::Tuple(self.terms(count, depth + 1)?)
            }
            tag::LARGE_TUPLE => {
                let count = self.length()?;
                Term::Tuple(self.terms(count, depth + 1)?)
            }
            tag::MAP => self.map(depth)?,
            other => self.atom_or_rare(other, depth)?,
        })
    }

    fn list(&mut self, depth: usize) -> Result<Term, TermError> {
        let count = self.length()?;
        let items = self.terms(count, depth + 1)?;
        match self.term(depth + 1)? {
            Term::List(tail) if tail.is_empty() => Ok(Term::List(items)),
            _ => Ok(Term::Other("improper list")),
        }
    }

    fn map(&mut self, depth: usize) -> Result<Term, TermError> {
        let count = self.length()?;
        if count > self.rest.len() / 2 {
            return Err(TermError("it counts more members than it has"));
        }
        let mut members = Vec::with_capacity(count);
        for _ in 0..count {
            members.push((self.term(depth + 1)?, self.term(depth + 1)?));
        }
        Ok(Term::Map(members))
    }

    /// A number of so many bytes; one that needs more than 64 bits is nothing that we have sent.
    fn big(&mut self, length: usize) -> Result<Term, TermError> {
        let is_negative = self.byte()? != 0;
        let digits = self.take(length)?;
        if length > 8 {
            return Ok(Term::Other("number of more than 64 bits"));
        }
        let magnitude = digits.iter().rev().fold(0_i128, |value, digit| (value << 8) | i128::from(*digit));
        let value = i64::try_from(if is_negative { -magnitude } else { magnitude });
        Ok(value.map_or(Term::Other("number of more than 64 bits"), Term::Integer))
    }

    fn atom(&mut self, kind: u8) -> Result<String, TermError> {
        let length = match kind {
            tag::ATOM | tag::ATOM_UTF8 => self.short()?,
            tag::SMALL_ATOM | tag::SMALL_ATOM_UTF8 => usize::from(self.byte()?),
            _ => return Err(TermError("an atom is something else")),
        };
        let bytes = self.take(length)?;
        Ok(match kind {
            // Latin-1, whose bytes are code points.
            tag::ATOM | tag::SMALL_ATOM => bytes.iter().map(|byte| char::from(*byte)).collect(),
            _ => std::str::from_utf8(bytes).map_err(|_| TermError("an atom is no UTF-8"))?.to_owned(),
        })
    }

    fn node(&mut self) -> Result<String, TermError> {
        let kind = self.byte()?;
        self.atom(kind)
    }

    fn atom_or_rare(&mut self, kind: u8, depth: usize) -> Result<Term, TermError> {
        Ok(match kind {
            tag::ATOM | tag::SMALL_ATOM | tag::ATOM_UTF8 | tag::SMALL_ATOM_UTF8 => Term::Atom(self.atom(kind)?),
            tag::NEW_PID => Term::Pid { node: self.node()?, words: [self.word()?, self.word()?, self.word()?] },
            tag::NEWER_REFERENCE => {
                let count = self.short()?;
                let (node, creation) = (self.node()?, self.word()?);
                let words = (0..count).map(|_| self.word()).collect::<Result<_, _>>()?;
                Term::Reference { node, creation, words }
            }
            tag::NEW_FLOAT => self.skipped(8, "float")?,
            tag::BIT_BINARY => {
                let length = self.length()?;
                self.skipped(length.saturating_add(1), "bitstring")?
            }
            tag::NEW_PORT | tag::V4_PORT => {
                self.node()?;
                self.skipped(if kind == tag::NEW_PORT { 8 } else { 12 }, "port")?
            }
            tag::NEW_FUN => {
                // Its size counts itself.
                let size = self.length()?;
                self.skipped(size.saturating_sub(4), "fun")?
            }
            tag::EXPORT => {
                self.terms(3, depth + 1)?;
                Term::Other("fun")
            }
            _ => return Err(TermError("an unknown tag")),
        })
    }

    fn skipped(&mut self, length: usize, what: &'static str) -> Result<Term, TermError> {
        self.take(length)?;
        Ok(Term::Other(what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Term, TermError> {
        Term::decode(bytes).map(|(term, rest)| {
            assert!(rest.is_empty());
            term
        })
    }

    #[test]
    fn what_is_written_is_read_again() {
        let numbers = [0, 255, 256, -1, i64::from(i32::MIN), i64::from(i32::MAX) + 1, i64::MAX, i64::MIN];
        let words = vec![7, 8, 9];
        let term = Term::Tuple(vec![
            Term::List(numbers.into_iter().map(Term::Integer).collect()),
            Term::map([("id", Term::text("Zürich")), ("none", Term::List(Vec::new()))]),
            Term::Pid { node: "a@b".to_owned(), words: [1, 0, 5] },
            Term::Reference { node: "a@b".to_owned(), creation: 5, words },
        ]);
        let mut bytes = Vec::new();
        term.encode(&mut bytes);
        assert_eq!(read(&bytes), Ok(term));
        for end in 0..bytes.len() {
            assert!(Term::decode(&bytes[..end]).is_err(), "cut at {end}");
        }
    }

    /// What `term_to_binary` of OTP 25 writes.
    #[test]
    fn what_erlang_writes_is_read() {
        assert_eq!(read(b"\x83\x6b\x00\x02ab"), Ok(Term::List(vec![Term::Integer(97), Term::Integer(98)])));
        assert_eq!(read(b"\x83\x46\x3f\xf8\0\0\0\0\0\0"), Ok(Term::Other("float")));
        assert_eq!(read(b"\x83\x6e\x08\x00\xff\xff\xff\xff\xff\xff\xff\x7f"), Ok(Term::Integer(i64::MAX)));
        assert_eq!(read(b"\x83\x6e\x09\x00\0\0\0\0\0\0\0\0\x01"), Ok(Term::Other("number of more than 64 bits")));
        assert_eq!(read(b"\x83\x64\x00\x02ok"), Ok(Term::atom("ok")));
    }

    #[test]
    fn counts_and_depths_of_the_peer_are_not_believed() {
        let huge = [b"\x83\x6c\xff\xff\xff\xff", b"\x83\x74\xff\xff\xff\xff", b"\x83\x6d\xff\xff\xff\xff"];
        for bytes in huge {
            assert!(Term::decode(bytes).is_err());
        }
        let deep: Vec<u8> = [VERSION].into_iter().chain([tag::SMALL_TUPLE, 1].repeat(100_000)).collect();
        assert_eq!(Term::decode(&deep), Err(TermError("it is nested too deep")));
    }
}
