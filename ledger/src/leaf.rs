//! The canonical encoding of a transaction, version 1: what is hashed into the log.
//!
//! Big-endian, each field of a fixed length or after its own length, and only one way to write each transaction. The fields,
//! one by one, and test vectors stand in `docs/LEDGER.md` and `docs/ledger-vectors.json`. What is personal enters as a hash.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::act::Act;
use crate::{AccountId, Currency, TransactionId};

/// What each leaf starts with: a tag of ours and the version of the encoding.
pub const MAGIC: [u8; 4] = *b"BNL\x01";

/// What the byte after [`MAGIC`] says: each [`Act`], and those that undo others are postings by their relation.
mod kind {
    pub(super) const POSTING: u8 = 1;
    pub(super) const HOLD: u8 = 2;
    pub(super) const CAPTURE: u8 = 3;
    pub(super) const VOID: u8 = 4;
    pub(super) const EXPIRY: u8 = 5;
    pub(super) const CLOSING: u8 = 6;
    pub(super) const UP_TO: u8 = 7;
}

/// How the transaction stands to another, whose id follows unless there is none.
mod relation {
    pub(super) const NONE: u8 = 0;
    pub(super) const REVERSES: u8 = 1;
    pub(super) const REVERSES_PART: u8 = 2;
    pub(super) const RESOLVES: u8 = 3;
}

/// One leg of a transaction, with the currency of its account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeafLeg {
    /// The account.
    pub account: AccountId,
    /// The account's currency.
    pub currency: Currency,
    /// Minor units; above zero raises the balance.
    pub amount: i64,
}

/// A recorded transaction, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// The number of the book.
    pub book: i32,
    /// The index in the log.
    pub seq: i64,
    /// The transaction's name.
    pub id: TransactionId,
    /// When it was recorded, in whole microseconds.
    pub recorded_at: DateTime<Utc>,
    /// When it counts from, in whole microseconds.
    pub effective_at: DateTime<Utc>,
    /// What the caller calls this kind of transaction.
    pub code: u16,
    /// What it is.
    pub act: Act,
    /// The hash of whatever else the caller keeps about it.
    pub metadata_hash: [u8; 32],
    /// The legs, in the caller's order.
    pub legs: Vec<LeafLeg>,
}

/// The bytes are not a leaf of version 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeafError {
    /// They do not start with [`MAGIC`].
    #[error("the leaf does not start with the tag of version 1")]
    Magic,
    /// They end before the transaction does.
    #[error("the leaf is cut off")]
    CutOff,
    /// They go on after the transaction.
    #[error("the leaf goes on after its last leg")]
    TooLong,
    /// A field has a value that the encoding does not write.
    #[error("the leaf's {0} is not canonical")]
    Field(&'static str),
}

impl Leaf {
    /// Writes the one encoding of this transaction.
    pub fn encode(&self) -> Vec<u8> {
        assert!(self.seq >= 0, "a seq is an index");
        assert!(self.legs.len() <= usize::from(u16::MAX) && has_legs(self.act, self.legs.len()));
        let mut bytes = Vec::with_capacity(112 + 28 * self.legs.len());
        bytes.extend_from_slice(&MAGIC);
        bytes.push(kind_of(self.act));
        bytes.extend_from_slice(&self.book.to_be_bytes());
        bytes.extend_from_slice(&self.seq.to_be_bytes());
        bytes.extend_from_slice(self.id.0.as_bytes());
        bytes.extend_from_slice(&self.recorded_at.timestamp_micros().to_be_bytes());
        bytes.extend_from_slice(&self.effective_at.timestamp_micros().to_be_bytes());
        bytes.extend_from_slice(&self.code.to_be_bytes());
        encode_relation(self.act, &mut bytes);
        encode_term(self.act, &mut bytes);
        bytes.extend_from_slice(&self.metadata_hash);
        assert!((84..=108).contains(&bytes.len()), "what comes before the legs has its place");
        bytes.extend_from_slice(&(self.legs.len() as u16).to_be_bytes());
        for leg in &self.legs {
            encode_leg(leg, &mut bytes);
        }
        assert!(bytes.len() <= usize::from(u16::MAX), "a leaf fits an entry bundle of tlog-tiles");
        bytes
    }

    /// Reads what [`Leaf::encode`] writes and nothing else.
    ///
    /// # Errors
    /// When the bytes are cut off, too long, or not the one encoding of a transaction.
    pub fn decode(bytes: &[u8]) -> Result<Leaf, LeafError> {
        Leaf::decode_into(bytes, Vec::new())
    }

    /// As [`Leaf::decode`], with the legs in `room`, so that whoever reads many leaves allocates once.
    ///
    /// # Errors
    /// As [`Leaf::decode`].
    pub fn decode_into(bytes: &[u8], room: Vec<LeafLeg>) -> Result<Leaf, LeafError> {
        let mut reader = Reader { rest: bytes };
        if reader.array()? != MAGIC {
            return Err(LeafError::Magic);
        }
        let [kind] = reader.array()?;
        if !(kind::POSTING..=kind::UP_TO).contains(&kind) {
            return Err(LeafError::Field("kind"));
        }
        let leaf = Leaf {
            book: i32::from_be_bytes(reader.array()?),
            seq: reader.seq()?,
            id: TransactionId(reader.uuid()?),
            recorded_at: reader.time("recorded_at")?,
            effective_at: reader.time("effective_at")?,
            code: u16::from_be_bytes(reader.array()?),
            act: reader.act(kind)?,
            metadata_hash: reader.array()?,
            legs: reader.legs(room)?,
        };
        if !has_legs(leaf.act, leaf.legs.len()) {
            return Err(LeafError::Field("count of legs"));
        }
        if reader.rest.is_empty() { Ok(leaf) } else { Err(LeafError::TooLong) }
    }
}

/// Freeing a hold has no legs, closing has one, and everything else has some.
fn has_legs(act: Act, count: usize) -> bool {
    match act {
        Act::Void(_) | Act::Expire(_) => count == 0,
        Act::Close => count == 1,
        _ => count > 0,
    }
}

fn kind_of(act: Act) -> u8 {
    match act {
        Act::Post | Act::Reverse(_) | Act::ReversePart(_) => kind::POSTING,
        Act::Hold { .. } => kind::HOLD,
        Act::Capture(_) => kind::CAPTURE,
        Act::Void(_) => kind::VOID,
        Act::Expire(_) => kind::EXPIRY,
        Act::Close => kind::CLOSING,
        Act::PostUpTo { .. } => kind::UP_TO,
    }
}

fn encode_relation(act: Act, bytes: &mut Vec<u8>) {
    let (relation, other) = match act {
        Act::Reverse(original) => (relation::REVERSES, original),
        Act::ReversePart(original) => (relation::REVERSES_PART, original),
        Act::Capture(hold) | Act::Void(hold) | Act::Expire(hold) => (relation::RESOLVES, hold),
        Act::Post | Act::PostUpTo { .. } | Act::Hold { .. } | Act::Close => return bytes.push(relation::NONE),
    };
    bytes.push(relation);
    bytes.extend_from_slice(other.0.as_bytes());
}

/// Until when it is held, or up to what it was asked for: 8 bytes of those acts alone.
fn encode_term(act: Act, bytes: &mut Vec<u8>) {
    match act {
        Act::Hold { expires_at } => {
            let micros = expires_at.map_or(i64::MAX, |expires_at| expires_at.timestamp_micros());
            bytes.extend_from_slice(&micros.to_be_bytes());
        }
        Act::PostUpTo { asked } => bytes.extend_from_slice(&asked.to_be_bytes()),
        _ => (),
    }
}

/// An amount is as many bytes as it needs, two's complement, after their count.
fn encode_leg(leg: &LeafLeg, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(leg.account.0.as_bytes());
    bytes.extend_from_slice(leg.currency.code().as_bytes());
    let amount = leg.amount.to_be_bytes();
    let length = amount_length(leg.amount);
    assert!((1..=8).contains(&length));
    bytes.push(length as u8);
    bytes.extend_from_slice(&amount[8 - length..]);
}

/// The fewest bytes whose two's complement is the amount.
fn amount_length(amount: i64) -> usize {
    let unused = if amount < 0 { amount.leading_ones() } else { amount.leading_zeros() };
    // One bit of those that are alike is the sign and has to stay.
    8 - (unused as usize - 1) / 8
}

/// What is left to read.
struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], LeafError> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(LeafError::CutOff)?;
        self.rest = rest;
        Ok(*head)
    }

    fn seq(&mut self) -> Result<i64, LeafError> {
        let seq = i64::from_be_bytes(self.array()?);
        if seq < 0 { Err(LeafError::Field("seq")) } else { Ok(seq) }
    }

    fn uuid(&mut self) -> Result<Uuid, LeafError> {
        Ok(Uuid::from_bytes(self.array()?))
    }

    fn time(&mut self, field: &'static str) -> Result<DateTime<Utc>, LeafError> {
        DateTime::from_timestamp_micros(i64::from_be_bytes(self.array()?)).ok_or(LeafError::Field(field))
    }

    /// Relation and term, as far as this kind has them.
    fn act(&mut self, kind: u8) -> Result<Act, LeafError> {
        let [relation] = self.array()?;
        let other = if relation == relation::NONE { None } else { Some(TransactionId(self.uuid()?)) };
        match (kind, relation, other) {
            (kind::POSTING, relation::NONE, None) => Ok(Act::Post),
            (kind::POSTING, relation::REVERSES, Some(original)) => Ok(Act::Reverse(original)),
            (kind::POSTING, relation::REVERSES_PART, Some(original)) => Ok(Act::ReversePart(original)),
            (kind::HOLD, relation::NONE, None) => Ok(Act::Hold { expires_at: self.expires_at()? }),
            (kind::CAPTURE, relation::RESOLVES, Some(hold)) => Ok(Act::Capture(hold)),
            (kind::VOID, relation::RESOLVES, Some(hold)) => Ok(Act::Void(hold)),
            (kind::EXPIRY, relation::RESOLVES, Some(hold)) => Ok(Act::Expire(hold)),
            (kind::CLOSING, relation::NONE, None) => Ok(Act::Close),
            (kind::UP_TO, relation::NONE, None) => Ok(Act::PostUpTo { asked: i64::from_be_bytes(self.array()?) }),
            _ => Err(LeafError::Field("relation")),
        }
    }

    fn expires_at(&mut self) -> Result<Option<DateTime<Utc>>, LeafError> {
        match i64::from_be_bytes(self.array()?) {
            i64::MAX => Ok(None),
            micros => DateTime::from_timestamp_micros(micros).map(Some).ok_or(LeafError::Field("expires_at")),
        }
    }

    fn legs(&mut self, mut legs: Vec<LeafLeg>) -> Result<Vec<LeafLeg>, LeafError> {
        let count = u16::from_be_bytes(self.array()?);
        legs.clear();
        for _ in 0..count {
            legs.push(self.leg()?);
        }
        Ok(legs)
    }

    fn leg(&mut self) -> Result<LeafLeg, LeafError> {
        let account = AccountId(self.uuid()?);
        let currency = Currency::from_bytes(self.array()?).ok_or(LeafError::Field("currency"))?;
        Ok(LeafLeg { account, currency, amount: self.amount()? })
    }

    fn amount(&mut self) -> Result<i64, LeafError> {
        let [length] = self.array()?;
        let length = usize::from(length);
        if !(1..=8).contains(&length) {
            return Err(LeafError::Field("amount"));
        }
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(LeafError::CutOff)?;
        self.rest = rest;
        let sign = if bytes[0] & 0x80 == 0 { 0 } else { 0xff };
        let mut amount = [sign; 8];
        amount[8 - length..].copy_from_slice(bytes);
        let amount = i64::from_be_bytes(amount);
        // A longer way to write the same amount would be a second encoding of it.
        if amount_length(amount) == length { Ok(amount) } else { Err(LeafError::Field("amount")) }
    }
}

#[cfg(test)]
mod tests;
