//! The mirror's row: how far the node has been told, and how it is.

use ledger::Book;
use sqlx::PgConnection;

/// The states of a node, by their names, in the order of [`NodeState`].
const STATES: [&str; 5] = ["connected", "slow", "down", "refused", "diverged"];

/// How a node is; docs/ERLANG.md says what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeState {
    /// It answers.
    Connected,
    /// It does not answer in time.
    Slow,
    /// It cannot be reached, or its ledger does not run.
    Down,
    /// It does not let us in, or has no such ledger.
    Refused,
    /// It lacks what it has confirmed, or refuses what we have recorded.
    Diverged,
}

impl NodeState {
    /// Its stable name.
    pub const fn as_str(self) -> &'static str {
        STATES[self as usize]
    }
}

/// A mirror's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The node.
    pub node: String,
    /// The first leaf that it has not confirmed.
    pub position: i64,
    /// Leaves of the book.
    pub size: i64,
    /// The name of a [`NodeState`].
    pub state: String,
    /// For how long, in whole seconds.
    pub state_seconds: i64,
    /// Why.
    pub last_error: Option<String>,
    /// Transactions confirmed in all, also again.
    pub confirmed_total: i64,
    /// How often the position was set back.
    pub refed_total: i64,
    /// How long ago a worker last had to do with it, in whole seconds.
    pub seen_seconds: i64,
}

/// All mirrors of a book, by node.
///
/// # Errors
/// When the database fails.
pub async fn list(conn: &mut PgConnection, book: Book) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as!(
        Row,
        r#"select m.node, m.position, b.size, m.state, m.last_error, m.confirmed_total, m.refed_total,
                  extract(epoch from clock_timestamp() - m.state_since)::bigint as "state_seconds!",
                  extract(epoch from clock_timestamp() - m.seen_at)::bigint as "seen_seconds!"
           from app.ledger_mirror as m
           join ledger.book as b on b.shard = m.shard and b.book = m.book_id
           where m.shard = $1 and m.book_id = $2
           order by m.node"#,
        book.shard,
        book.id,
    )
    .fetch_all(conn)
    .await
}

/// Where the telling goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The first leaf that the node has not confirmed.
    pub position: i64,
    /// The name of a [`NodeState`].
    pub state: String,
}

/// Says that a worker has to do with this mirror, which begins at the first leaf if it is new; where it goes on.
///
/// # Errors
/// When the database fails.
pub async fn see(conn: &mut PgConnection, book: Book, node: &str) -> sqlx::Result<Seen> {
    sqlx::query_as!(
        Seen,
        "insert into app.ledger_mirror as m (shard, book_id, node)
         values ($1, $2, $3)
         on conflict (shard, book_id, node) do update
         set seen_at = clock_timestamp()
         returning position, state",
        book.shard,
        book.id,
        node,
    )
    .fetch_one(conn)
    .await
}

/// Moves on by what the node has confirmed; false if somebody has set the position back meanwhile.
///
/// # Errors
/// When the database fails.
pub async fn advance(conn: &mut PgConnection, book: Book, node: &str, (from, to): (i64, i64)) -> sqlx::Result<bool> {
    assert!(from < to, "a position moves on");
    let moved = sqlx::query!(
        "update app.ledger_mirror
         set position = $5,
             confirmed_total = confirmed_total + $5 - $4,
             confirmed_at = clock_timestamp(),
             seen_at = clock_timestamp()
         where shard = $1 and book_id = $2 and node = $3 and position = $4",
        book.shard,
        book.id,
        node,
        from,
        to,
    )
    .execute(conn)
    .await?;
    Ok(moved.rows_affected() == 1)
}

/// Writes down how the node is.
///
/// # Errors
/// When the database fails.
pub async fn set_state(
    conn: &mut PgConnection,
    book: Book,
    node: &str,
    (state, why): (NodeState, Option<&str>),
) -> sqlx::Result<()> {
    sqlx::query!(
        "update app.ledger_mirror
         set state_since = case when state = $4 then state_since else clock_timestamp() end,
             state = $4,
             last_error = left($5, 2000),
             seen_at = clock_timestamp()
         where shard = $1 and book_id = $2 and node = $3",
        book.shard,
        book.id,
        node,
        state.as_str(),
        why,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Has the node told again from this leaf on; false if it has not been told that far.
///
/// # Errors
/// When the database fails.
pub async fn set_back(conn: &mut PgConnection, book: Book, node: &str, to: i64) -> sqlx::Result<bool> {
    let moved = sqlx::query!(
        "update app.ledger_mirror
         set position = $4, refed_total = refed_total + 1
         where shard = $1 and book_id = $2 and node = $3 and position > $4",
        book.shard,
        book.id,
        node,
        to,
    )
    .execute(conn)
    .await?;
    Ok(moved.rows_affected() == 1)
}

/// Writes down that the histories were compared.
///
/// # Errors
/// When the database fails.
pub async fn compared(conn: &mut PgConnection, book: Book, node: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "update app.ledger_mirror
         set compared_at = clock_timestamp()
         where shard = $1 and book_id = $2 and node = $3",
        book.shard,
        book.id,
        node,
    )
    .execute(conn)
    .await?;
    Ok(())
}
