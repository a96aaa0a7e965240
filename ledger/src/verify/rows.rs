//! What a ledger holds, row by row, as every source of a verification gives it. Times are microseconds since 1970.

use uuid::Uuid;

/// The head of a book's log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeadRow {
    /// The count of leaves.
    pub size: i64,
    /// The root over them.
    pub root: Vec<u8>,
    /// The right edge of the tree.
    pub frontier: Vec<u8>,
    /// When the last leaf was recorded.
    pub recorded_at: Option<i64>,
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRow {
    /// Its name.
    pub id: Uuid,
    /// The code of its currency.
    pub currency: String,
    /// Whether its balance may be below zero.
    pub overdraft: bool,
    /// Minor units.
    pub balance: i64,
    /// The count of its entries.
    pub version: i64,
    /// Minor units that open holds would take.
    pub held_out: i64,
    /// Minor units that open holds would bring.
    pub held_in: i64,
    /// The leaf that closed it.
    pub closed_seq: Option<i64>,
}

/// A transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeafRow<'a> {
    /// Its place in the log.
    pub seq: i64,
    /// Its name.
    pub id: Uuid,
    /// When it was recorded.
    pub recorded_at: i64,
    /// The transaction that it undoes.
    pub reverses: Option<Uuid>,
    /// The transaction that it undoes a part of.
    pub reverses_part: Option<Uuid>,
    /// The hold that it ends.
    pub resolves: Option<Uuid>,
    /// The hash of the leaf.
    pub leaf_hash: &'a [u8],
    /// The leaf.
    pub leaf: &'a [u8],
}

/// What a transaction did to one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryRow {
    /// Its place in the history of the account.
    pub version: i64,
    /// The transaction, by its place in the log.
    pub seq: i64,
    /// Minor units.
    pub amount: i64,
    /// The balance after it.
    pub balance: i64,
    /// When it counts from, where that is not when it was recorded.
    pub effective_at: Option<i64>,
}

/// A full tile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TileRow {
    /// Its level.
    pub level: i16,
    /// Its place within the level.
    pub index: i64,
    /// The root over its hashes; none where the source keeps the hashes alone.
    pub root: Option<Vec<u8>>,
    /// Its hashes, one after the other.
    pub hashes: Vec<u8>,
}

/// A signed head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointRow {
    /// The count of leaves that it covers.
    pub size: i64,
    /// The root over them.
    pub root: Vec<u8>,
    /// The note as published.
    pub note: String,
}

/// What a witness signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CosignatureRow {
    /// The count of leaves of the checkpoint that it is under.
    pub size: i64,
    /// The witness's key.
    pub witness: String,
    /// The line of the signature.
    pub line: String,
}

/// A hold that is said to be open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldRow {
    /// The transaction that holds.
    pub id: Uuid,
    /// Its place in the log.
    pub seq: i64,
    /// From when on it can only expire.
    pub expires_at: Option<i64>,
    /// The accounts of its legs, in their order.
    pub accounts: Vec<Uuid>,
}
