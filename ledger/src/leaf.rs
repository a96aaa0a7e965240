//! The canonical encoding of a transaction, version 1: what is hashed into the log.
//!
//! Big-endian, each field of a fixed length or after its own length, and only one way to write each transaction. The fields,
//! one by one, and test vectors stand in `docs/LEDGER.md` and `docs/ledger-vectors.json`. What is personal enters as a hash.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{AccountId, Currency, TransactionId};

/// What each leaf starts with: a tag of ours and the version of the encoding.
pub const MAGIC: [u8; 4] = *b"BNL\x01";

/// The kind of a plain posting; others are kept for what an encoding of the future has to say.
const KIND_POSTING: u8 = 1;
/// The relation of a transaction that stands by itself.
const RELATION_NONE: u8 = 0;
/// The relation of a transaction that undoes another, whose id follows.
const RELATION_REVERSES: u8 = 1;

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
    /// The transaction that it undoes.
    pub reverses: Option<TransactionId>,
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
        assert!(!self.legs.is_empty() && self.legs.len() <= usize::from(u16::MAX));
        let mut bytes = Vec::with_capacity(104 + 28 * self.legs.len());
        bytes.extend_from_slice(&MAGIC);
        bytes.push(KIND_POSTING);
        bytes.extend_from_slice(&self.book.to_be_bytes());
        bytes.extend_from_slice(&self.seq.to_be_bytes());
        bytes.extend_from_slice(self.id.0.as_bytes());
        bytes.extend_from_slice(&self.recorded_at.timestamp_micros().to_be_bytes());
        bytes.extend_from_slice(&self.effective_at.timestamp_micros().to_be_bytes());
        bytes.extend_from_slice(&self.code.to_be_bytes());
        match self.reverses {
            None => bytes.push(RELATION_NONE),
            Some(original) => {
                bytes.push(RELATION_REVERSES);
                bytes.extend_from_slice(original.0.as_bytes());
            }
        }
        bytes.extend_from_slice(&self.metadata_hash);
        assert_eq!(
            bytes.len(),
            if self.reverses.is_some() { 100 } else { 84 },
            "what comes before the legs has its place"
        );
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
        let mut reader = Reader { rest: bytes };
        if reader.array()? != MAGIC {
            return Err(LeafError::Magic);
        }
        if reader.array()? != [KIND_POSTING] {
            return Err(LeafError::Field("kind"));
        }
        let leaf = Leaf {
            book: i32::from_be_bytes(reader.array()?),
            seq: reader.seq()?,
            id: TransactionId(reader.uuid()?),
            recorded_at: reader.time("recorded_at")?,
            effective_at: reader.time("effective_at")?,
            code: u16::from_be_bytes(reader.array()?),
            reverses: reader.relation()?,
            metadata_hash: reader.array()?,
            legs: reader.legs()?,
        };
        if reader.rest.is_empty() { Ok(leaf) } else { Err(LeafError::TooLong) }
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

    fn relation(&mut self) -> Result<Option<TransactionId>, LeafError> {
        match self.array()? {
            [RELATION_NONE] => Ok(None),
            [RELATION_REVERSES] => Ok(Some(TransactionId(self.uuid()?))),
            _ => Err(LeafError::Field("relation")),
        }
    }

    fn legs(&mut self) -> Result<Vec<LeafLeg>, LeafError> {
        let count = u16::from_be_bytes(self.array()?);
        if count == 0 {
            return Err(LeafError::Field("count of legs"));
        }
        (0..count).map(|_| self.leg()).collect()
    }

    fn leg(&mut self) -> Result<LeafLeg, LeafError> {
        let account = AccountId(self.uuid()?);
        let code: [u8; 3] = self.array()?;
        let code = std::str::from_utf8(&code).map_err(|_| LeafError::Field("currency"))?;
        let currency = Currency::parse(code).map_err(|_| LeafError::Field("currency"))?;
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
