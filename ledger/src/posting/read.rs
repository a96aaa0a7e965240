//! What a batch needs to know, read under the lock of its book.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::decide::{AccountState, State};
use super::memory::{Place, Remembered, Version};
use super::refusal::Refusal;
use super::{PostError, Posting};
use crate::accounts::Overdraft;
use crate::leaf::Leaf;
use crate::merkle::Hash;
use crate::merkle::frontier::Frontier;
use crate::merkle::tiles::{Appender, Edges, LEVELS, fills, open_width};
use crate::{AccountId, Act, Book, Currency, TransactionId};

/// The head of a book's log, whose row this transaction holds.
pub(super) struct Head {
    pub(super) version: Version,
    /// Where its row lies.
    pub(super) place: String,
    frontier: Frontier,
    recorded_at: Option<DateTime<Utc>>,
}

/// Waits until this transaction is the one writer of the book.
///
/// A statement of its own: what is read by a statement that waits is as old as the start of the wait.
pub(super) async fn lock(conn: &mut PgConnection, book: Book) -> Result<Head, PostError> {
    let row = sqlx::query!(
        // Until this transaction ends, a statement has one plan, made once: a look-up in an index for each id, whether the
        // book is empty when it is made or full. Planning anew would take longer than posting a single transaction does.
        r#"select size, root, frontier, recorded_at, ctid::text as "place!", xmin::text as "written_by!",
               set_config('plan_cache_mode', 'force_generic_plan', true) as plan_cache_mode,
               set_config('enable_seqscan', 'off', true) as seqscan,
               set_config('enable_bitmapscan', 'off', true) as bitmapscan,
               set_config('enable_hashjoin', 'off', true) as hashjoin,
               set_config('enable_mergejoin', 'off', true) as mergejoin,
               -- What is switched off costs so much that it would start the just-in-time compiler.
               set_config('jit', 'off', true) as jit
           from ledger.book
           where shard = $1
               and book = $2
           for no key update"#,
        book.shard,
        book.id
    )
    .fetch_optional(conn)
    .await?
    .ok_or(PostError::NoSuchBook(book))?;
    let frontier = Frontier::from_bytes(row.size as u64, &row.frontier).map_err(damaged)?;
    let root = frontier.root();
    if root.as_slice() != row.root {
        return Err(PostError::Damaged(format!("the root of {book} is not the one of its frontier")));
    }
    assert_eq!(row.size == 0, row.recorded_at.is_none(), "a CHECK holds a time to a log with leaves");
    let version = Version { written_by: row.written_by, size: row.size, root };
    Ok(Head { version, place: row.place, frontier, recorded_at: row.recorded_at })
}

/// What kind of thing a row of the one reading statement tells of.
mod kind {
    pub(super) const CLOCK: i16 = 0;
    pub(super) const ACCOUNT: i16 = 1;
    pub(super) const RECORDED: i16 = 2;
    pub(super) const REFUSED: i16 = 3;
    pub(super) const REVERSED: i16 = 4;
    pub(super) const HASH: i16 = 5;
    pub(super) const REVERSED_PART: i16 = 6;
    pub(super) const ENDED: i16 = 7;
}

struct Row {
    kind: i16,
    id: Option<Uuid>,
    text: Option<String>,
    overdraft: Option<bool>,
    number: Option<i64>,
    version: Option<i64>,
    level: Option<i16>,
    bytes: Option<Vec<u8>>,
    held_out: Option<i64>,
    held_in: Option<i64>,
    closed_seq: Option<i64>,
    place: Option<String>,
}

/// Where the rows of the accounts lie. They stay there, since whoever changes an account holds the row of the book.
pub(super) type Places = HashMap<AccountId, Place>;

/// Reads what the batch names and is not remembered, and the open tiles that it may fill.
pub(super) async fn read(
    conn: &mut PgConnection,
    book: Book,
    head: Head,
    postings: &[Posting],
    remembered: &Remembered,
) -> Result<(State, Appender, Places), PostError> {
    let mut wanted = Wanted::of(postings);
    let edge = Edge::of(head.version.size as u64, postings.len() as u64);
    let accounts_wanted = wanted.accounts.len();
    let mut gathered = Gathered::new(book, &head, &wanted.holds);
    wanted.accounts.retain(|id| !gathered.recall(AccountId(*id), remembered));
    let rows = sqlx::query_file_as!(
        Row,
        "src/posting/read.sql",
        book.shard,
        book.id,
        &wanted.accounts,
        &wanted.recorded,
        &wanted.ids,
        edge.leaves_start,
        edge.leaves_stop,
        &edge.levels,
        &edge.starts,
        &edge.stops,
        &wanted.originals,
        &wanted.holds
    )
    .fetch_all(conn)
    .await?;
    for row in rows {
        gathered.take(row)?;
    }
    let state = &gathered.state;
    assert!(
        state.accounts.len() <= accounts_wanted || !wanted.holds.is_empty(),
        "no account is read that the batch does not name"
    );
    assert!(state.recorded.len() <= wanted.recorded.len(), "no transaction is read that the batch does not name");
    assert!(state.refused.len() <= wanted.ids.len(), "no refusal is read that the batch does not name");
    gathered.finish(head, &edge)
}

/// The ids that a batch names, each once.
struct Wanted {
    accounts: Vec<Uuid>,
    ids: Vec<Uuid>,
    /// What it reverses, whole or in part.
    originals: Vec<Uuid>,
    /// What it ends.
    holds: Vec<Uuid>,
    /// Ids, originals and holds.
    recorded: Vec<Uuid>,
}

impl Wanted {
    fn of(postings: &[Posting]) -> Wanted {
        let accounts: HashSet<Uuid> =
            postings.iter().flat_map(|posting| &posting.legs).map(|leg| leg.account.0).collect();
        let ids: HashSet<Uuid> = postings.iter().map(|posting| posting.id.0).collect();
        let original = |posting: &Posting| posting.act.reverses().or(posting.act.reverses_part());
        let originals: HashSet<Uuid> = postings.iter().filter_map(original).map(|id| id.0).collect();
        let holds: HashSet<Uuid> =
            postings.iter().filter_map(|posting| posting.act.resolves()).map(|id| id.0).collect();
        let mut recorded = ids.clone();
        recorded.extend(originals.iter().chain(&holds));
        Wanted {
            accounts: sorted(accounts),
            ids: sorted(ids),
            originals: sorted(originals),
            holds: sorted(holds),
            recorded: sorted(recorded),
        }
    }
}

/// In order, neighbours in an index are looked up one after the other.
fn sorted(ids: HashSet<Uuid>) -> Vec<Uuid> {
    let mut ids: Vec<Uuid> = ids.into_iter().collect();
    ids.sort_unstable();
    ids
}

/// Which hashes of the right edge have to be read: those of open tiles that the batch may fill.
struct Edge {
    fills: [bool; LEVELS],
    leaves_start: i64,
    leaves_stop: i64,
    /// The level of the tiles whose roots are hashes of the open tile one level up.
    levels: Vec<i16>,
    starts: Vec<i64>,
    stops: Vec<i64>,
}

impl Edge {
    fn of(size: u64, count: u64) -> Edge {
        let fills: [bool; LEVELS] = std::array::from_fn(|level| fills(size, count, level));
        let leaves = if fills[0] { open_width(size, 0) as i64 } else { 0 };
        let mut edge = Edge {
            fills,
            leaves_start: size as i64 - leaves,
            leaves_stop: size as i64,
            levels: Vec::new(),
            starts: Vec::new(),
            stops: Vec::new(),
        };
        for level in (1..LEVELS).filter(|level| fills[*level]) {
            let stop = (size >> (8 * level)) as i64;
            edge.levels.push(level as i16 - 1);
            edge.starts.push(stop - open_width(size, level) as i64);
            edge.stops.push(stop);
        }
        assert!(edge.starts.iter().zip(&edge.stops).all(|(start, stop)| start <= stop));
        edge
    }
}

/// The rows of the one statement, sorted into what they tell of.
struct Gathered<'a> {
    book: Book,
    state: State,
    places: Places,
    /// The holds that the batch ends.
    holds: &'a [Uuid],
    /// Level, index within the level, hash.
    hashes: Vec<(usize, i64, Hash)>,
}

impl<'a> Gathered<'a> {
    fn new(book: Book, head: &Head, holds: &'a [Uuid]) -> Gathered<'a> {
        let state = State { book: book.id, size: head.version.size, ..State::default() };
        Gathered { book, state, places: Places::new(), holds, hashes: Vec::new() }
    }

    /// Takes an account from memory, if it is there.
    fn recall(&mut self, account: AccountId, remembered: &Remembered) -> bool {
        let Some((state, place)) = remembered.find(account) else { return false };
        self.state.accounts.insert(account, state);
        self.places.insert(account, place);
        true
    }

    fn take(&mut self, row: Row) -> Result<(), PostError> {
        let state = &mut self.state;
        let id = row.id.unwrap_or_default();
        match row.kind {
            kind::CLOCK => {
                let now = row.number.and_then(DateTime::from_timestamp_micros);
                state.next_at = now.expect("the database's clock is within the range of times");
            }
            kind::ACCOUNT => {
                state.accounts.insert(AccountId(id), account(&row)?);
                let place = row.place.as_deref().and_then(Place::parse).expect("a row has a place");
                self.places.insert(AccountId(id), place);
            }
            kind::RECORDED => {
                let leaf = Leaf::decode(&row.bytes.unwrap_or_default()).map_err(damaged)?;
                if (leaf.book, leaf.id.0, Some(leaf.seq)) != (self.book.id, id, row.number) {
                    return Err(PostError::Damaged(format!("the leaf of transaction {id} is another one's")));
                }
                state.recorded.insert(leaf.id, leaf);
            }
            kind::REFUSED => {
                let reason = row.text.unwrap_or_default();
                let refusal = Refusal::parse(&reason).ok_or(PostError::Damaged(format!("no refusal is {reason:?}")))?;
                state.refused.insert(TransactionId(id), refusal);
            }
            kind::REVERSED => {
                state.reversed.insert(TransactionId(id));
            }
            kind::REVERSED_PART => {
                let leaf = Leaf::decode(&row.bytes.unwrap_or_default()).map_err(damaged)?;
                add_part(state, TransactionId(id), &leaf)?;
            }
            kind::ENDED => {
                state.ended.insert(TransactionId(id));
            }
            kind::HASH => {
                let hash =
                    row.bytes.and_then(|hash| Hash::try_from(hash).ok()).expect("a CHECK holds hashes to 32 bytes");
                let (level, index) = (row.level.unwrap_or_default() as usize, row.number.unwrap_or_default());
                self.hashes.push((level, index, hash));
            }
            kind => unreachable!("the statement has no rows of kind {kind}"),
        }
        Ok(())
    }

    /// What a hold sets aside is taken off its accounts when it ends, so those of each open one have to be there.
    fn check_accounts_of_holds(&self) -> Result<(), PostError> {
        let state = &self.state;
        let ids = self.holds.iter().map(|id| TransactionId(*id));
        for hold in ids.filter(|id| !state.ended.contains(id)).filter_map(|id| state.recorded.get(&id)) {
            let is_hold = matches!(hold.act, Act::Hold { .. });
            if is_hold && !hold.legs.iter().all(|leg| state.accounts.contains_key(&leg.account)) {
                let problem = format!("the open hold {} is not listed with all its accounts", hold.id);
                return Err(PostError::Damaged(problem));
            }
        }
        Ok(())
    }

    fn finish(mut self, head: Head, edge: &Edge) -> Result<(State, Appender, Places), PostError> {
        self.check_accounts_of_holds()?;
        if let Some(last) = head.recorded_at {
            self.state.next_at = self.state.next_at.max(last + TimeDelta::microseconds(1));
        }
        self.hashes.sort_unstable();
        let mut edges: Edges = std::array::from_fn(|level| edge.fills[level].then(Vec::new));
        for (level, _, hash) in self.hashes {
            edges[level].as_mut().expect("only the hashes of tiles that may be filled are read").push(hash);
        }
        assert!(
            head.recorded_at.is_none_or(|last| self.state.next_at > last),
            "each is recorded later than the one before"
        );
        for (level, edge) in edges.iter().enumerate() {
            let open = open_width(head.version.size as u64, level);
            if edge.as_ref().is_some_and(|edge| edge.len() != open) {
                return Err(PostError::Damaged(format!("the open tile of level {level} does not have {open} hashes")));
            }
        }
        Ok((self.state, Appender::new(head.frontier, edges), self.places))
    }
}

fn account(row: &Row) -> Result<AccountState, PostError> {
    let (Some(currency), Some(overdraft), Some(balance), Some(version), Some(held_out), Some(held_in)) =
        (row.text.as_deref(), row.overdraft, row.number, row.version, row.held_out, row.held_in)
    else {
        return Err(PostError::Damaged("an account has an empty column".to_owned()));
    };
    let currency = Currency::parse(currency).map_err(damaged)?;
    let (overdraft, closed_seq) = (Overdraft::from_allowed(overdraft), row.closed_seq);
    Ok(AccountState { currency, overdraft, balance, held_out, held_in, version, closed_seq, is_changed: false })
}

/// Adds what a partial reversal took back of its original.
fn add_part(state: &mut State, original: TransactionId, leaf: &Leaf) -> Result<(), PostError> {
    if leaf.act.reverses_part() != Some(original) {
        return Err(PostError::Damaged(format!("the leaf of transaction {} reverses another one", leaf.id)));
    }
    let parts = state.parts.entry(original).or_default();
    for leg in &leaf.legs {
        let sum = parts.entry(leg.account).or_default();
        *sum = sum.checked_add(leg.amount).ok_or(PostError::Damaged(format!("too much of {original} is reversed")))?;
    }
    Ok(())
}

fn damaged(error: impl std::fmt::Display) -> PostError {
    PostError::Damaged(error.to_string())
}
