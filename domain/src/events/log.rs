//! The log as followers read it: numbered after each commit, then read from a position on.

use chrono::{DateTime, Utc};
use ledger::Book;
use sqlx::{PgConnection, PgPool};

use super::{Position, filter};

/// What a connection that reads the log is best set to: look-ups by index, whatever stale statistics say, and no planning for each read.
pub const PLANNER: [(&str, &str); 4] = [
    ("enable_seqscan", "off"),
    ("enable_bitmapscan", "off"),
    ("plan_cache_mode", "force_generic_plan"),
    ("jit", "off"),
];

/// An event as it stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedEvent {
    /// Its place, by which it can be told from every other one of its shard.
    pub position: Position,
    /// The book that it happened in.
    pub book: Book,
    /// What happened.
    pub kind: String,
    /// Whom it is for.
    pub topics: Vec<String>,
    /// The facts, as JSON text.
    pub payload: String,
    /// When it was published, by the database's clock; its commit followed.
    pub at: DateTime<Utc>,
}

/// A part of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The events that were asked for, in the order of the log.
    pub events: Vec<LoggedEvent>,
    /// Everything up to here was looked at: the next page begins after it. None: there was nothing to look at.
    pub through: Option<Position>,
}

/// Which events are wanted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Which<'a> {
    /// Those of one book; none: of every book.
    pub book: Option<i32>,
    /// Those of these topics; none: all.
    pub topics: Option<&'a [String]>,
    /// Not beyond this commit; none: to the end.
    pub until: Option<i64>,
}

/// How much a page takes at most.
#[derive(Debug, Clone, Copy)]
pub struct Most {
    /// Commits that are looked at.
    pub commits: i64,
    /// Events that are answered.
    pub events: i64,
}

/// Where the log begins and ends now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The number of the oldest commit that is kept; one more than `last` if none is.
    pub first: i64,
    /// The number of the last one.
    pub last: i64,
}

impl Bounds {
    /// Whether everything after this position is still kept.
    pub fn has_all_after(&self, position: Position) -> bool {
        position.seq.saturating_add(1) >= self.first && position.seq <= self.last
    }
}

/// Gives the commits that have no number theirs; answers the last number. Returns after they are safe on the disk, so that nobody is told of a
/// number that a crash takes back. On a connection of its own, since others wait while it is done.
///
/// # Errors
/// When the database fails.
pub async fn number(pool: &PgPool, shard: i16) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"select app.number_events($1) as "last!""#, shard).fetch_one(pool).await
}

/// Makes the days of the log a week ahead, and drops those that ended more than so many days ago; answers how many tables went.
///
/// # Errors
/// When the database fails, or a lock is not to be had within a second; nothing is done then, try again later.
pub async fn keep_days(conn: &mut PgConnection, days: i32) -> sqlx::Result<i32> {
    sqlx::query_scalar!(r#"select app.keep_event_days($1) as "dropped!""#, days).fetch_one(conn).await
}

/// Where the log begins and ends now.
///
/// # Errors
/// When the database fails.
pub async fn bounds(conn: &mut PgConnection, shard: i16) -> sqlx::Result<Bounds> {
    sqlx::query_as!(
        Bounds,
        r#"with newest as (
               select coalesce(
                   (select seq from app.event_number where shard = $1 order by seq desc limit 1),
                   (select seq from app.event_log where shard = $1),
                   0
               ) as seq
           )
           select newest.seq as "last!",
                  coalesce(
                      (select seq from app.event_number where shard = $1 order by seq limit 1),
                      newest.seq + 1
                  ) as "first!"
           from newest"#,
        shard,
    )
    .fetch_one(conn)
    .await
}

/// Events after a position, in the order of the log.
///
/// # Errors
/// When the database fails.
pub async fn read(
    conn: &mut PgConnection,
    shard: i16,
    after: Position,
    which: Which<'_>,
    most: Most,
) -> sqlx::Result<Page> {
    let hashes = which.topics.unwrap_or_default().iter().map(|topic| filter::hash(topic));
    let (first, second): (Vec<i64>, Vec<i64>) = hashes.map(|(a, b)| (i64::from(a), i64::from(b))).unzip();
    let (seq, event) = begin_after(after);
    let rows = sqlx::query_as!(
        Row,
        r#"select through as "through?", seq as "seq?", n as "n?", book_id as "book_id?", at as "at?", kind as "kind?",
                  topics as "topics?", payload as "payload?"
           from app.read_events($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"#,
        shard,
        seq,
        event,
        which.until.unwrap_or(i64::MAX),
        most.commits,
        most.events,
        which.book,
        which.topics as Option<&[String]>,
        &first,
        &second,
    )
    .fetch_all(conn)
    .await?;
    Ok(page(shard, after, most, rows))
}

/// [`number`] and then [`read`] what came after a position, in one round trip; answers the last number, too.
///
/// # Errors
/// When the database fails.
pub async fn look(pool: &PgPool, shard: i16, after: Position, most: Most) -> sqlx::Result<(i64, Page)> {
    let (seq, event) = begin_after(after);
    // The answer is whole when the statement has been committed: what is handed out by it is safe.
    let rows = sqlx::query!(
        r#"select last as "last!", through as "through?", seq as "seq?", n as "n?", book_id as "book_id?", at as "at?",
                  kind as "kind?", topics as "topics?", payload as "payload?"
           from app.look_at_events($1, $2, $3, $4, $5)"#,
        shard,
        seq,
        event,
        most.commits,
        most.events,
    )
    .fetch_all(pool)
    .await?;
    let last = rows.first().map(|row| row.last).ok_or(sqlx::Error::RowNotFound)?;
    let rows = rows.into_iter().map(|row| Row {
        through: row.through,
        seq: row.seq,
        n: row.n,
        book_id: row.book_id,
        at: row.at,
        kind: row.kind,
        topics: row.topics,
        payload: row.payload,
    });
    Ok((last, page(shard, after, most, rows.collect())))
}

/// A row of a page; one without an event only says how far was looked.
struct Row {
    through: Option<i64>,
    seq: Option<i64>,
    n: Option<i32>,
    book_id: Option<i32>,
    at: Option<DateTime<Utc>>,
    kind: Option<String>,
    topics: Option<String>,
    payload: Option<String>,
}

/// The commit, and the event of it, that what comes after a position is looked for from.
fn begin_after(after: Position) -> (i64, i64) {
    // A commit that was read to its end is not read again.
    if after.event == i32::MAX { (after.seq.saturating_add(1), 0) } else { (after.seq, i64::from(after.event)) }
}

fn page(shard: i16, after: Position, most: Most, rows: Vec<Row>) -> Page {
    let looked = rows.first().and_then(|row| row.through).map(Position::end_of);
    let events: Vec<LoggedEvent> = rows
        .into_iter()
        .filter_map(|row| {
            Some(LoggedEvent {
                position: Position { seq: row.seq?, event: row.n? },
                book: Book { shard, id: row.book_id? },
                kind: row.kind?,
                topics: row.topics?.split(' ').map(str::to_owned).collect(),
                payload: row.payload?,
                at: row.at?,
            })
        })
        .collect();
    let is_cut = i64::try_from(events.len()).is_ok_and(|found| found >= most.events);
    let through = if is_cut { events.last().map(|event| event.position) } else { looked };
    Page { events, through: through.map(|through| through.max(after)) }
}
