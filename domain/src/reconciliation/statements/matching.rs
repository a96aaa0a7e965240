//! Matches a statement with the entries of its account, set by set: by id, by reference, by what a reference begins with,
//! then by amount and day. What shares a key and adds up is matched; what is left over is a break of R10.
//!
//! The sets are temporary tables, so these statements are the only ones that the compiler does not check against a database.

use ledger::Book;
use ledger::reconcile::{Class, Found};
use sqlx::{AssertSqlSafe, PgConnection, Row};
use uuid::Uuid;

/// The most breaks that are taken from one statement; the rest are counted.
pub const FOUND_MAX: i64 = 10_000;

/// The keys in the order in which they are tried: its name, their column, ours, and the confidence in percent.
const KEYS: [(&str, &str, &str, &str); 3] = [
    ("id", "lower(t.external_id)", "o.id", "100"),
    ("reference", "t.reference", "o.reference", "95"),
    ("reference", "t.reference", "o.correlation", "90"),
];

/// What matching a statement came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matched {
    /// What does not agree, at most [`FOUND_MAX`].
    pub found: Vec<Found>,
    /// How many more there are.
    pub left_out: u64,
    /// Lines and entries that were looked at.
    pub scanned: u64,
}

/// Matches a statement, in the caller's transaction, and replaces what was matched of it before.
///
/// # Errors
/// When the database fails.
pub async fn match_statement(conn: &mut PgConnection, book: Book, id: Uuid) -> sqlx::Result<Matched> {
    // One at a time: what was matched before is replaced.
    sqlx::query!(
        "select id
         from reconciliation.statement
         where shard = $1 and id = $2
         for update",
        book.shard,
        id,
    )
    .fetch_one(&mut *conn)
    .await?;
    sqlx::query(
        "create temporary table this_statement on commit drop as
         select *
         from reconciliation.statement
         where shard = $1 and book = $2 and id = $3",
    )
    .bind(book.shard)
    .bind(book.id)
    .bind(id)
    .persistent(false)
    .execute(&mut *conn)
    .await?;
    script(conn, include_str!("begin.sql").to_owned()).await?;
    for (by, theirs, ours, confidence) in KEYS {
        let filled = include_str!("by_key.sql")
            .replace("{by}", by)
            .replace("{theirs}", theirs)
            .replace("{ours}", ours)
            .replace("{confidence}", confidence);
        script(conn, filled).await?;
    }
    script(conn, include_str!("by_amount.sql").to_owned()).await?;
    script(conn, include_str!("finish.sql").to_owned()).await?;
    let matched = problems(conn, id).await?;
    script(conn, "drop table this_statement, theirs, ours, matched, problem, in_doubt".to_owned()).await?;
    Ok(matched)
}

async fn script(conn: &mut PgConnection, statements: String) -> sqlx::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(conn).await?;
    Ok(())
}

async fn problems(conn: &mut PgConnection, id: Uuid) -> sqlx::Result<Matched> {
    let counts = sqlx::query(
        "select (select count(*) from problem) as problems,
                (select count(*) from theirs) + (select count(*) from ours) as scanned,
                (select currency from this_statement) as currency",
    );
    let counts = counts.persistent(false).fetch_one(&mut *conn).await?;
    let currency: String = counts.try_get("currency")?;
    let rows = sqlx::query(
        "select line, seq, sub_class, amount, detail
         from problem
         order by line, seq
         limit $1",
    );
    let rows = rows.bind(FOUND_MAX).persistent(false).fetch_all(conn).await?;
    let found = rows.iter().map(|row| problem(id, &currency, row)).collect::<sqlx::Result<Vec<Found>>>()?;
    let count = |column| counts.try_get::<i64, _>(column).map(i64::unsigned_abs);
    let left_out = count("problems")?.saturating_sub(found.len() as u64);
    Ok(Matched { found, left_out, scanned: count("scanned")? })
}

/// A break of the statement; its subject begins with the statement's id.
fn problem(id: Uuid, currency: &str, row: &sqlx::postgres::PgRow) -> sqlx::Result<Found> {
    let (line, seq): (Option<i32>, Option<i64>) = (row.try_get("line")?, row.try_get("seq")?);
    let subject = match (line, seq) {
        (Some(line), _) => ("statement_line", format!("{id}/{line}")),
        (None, Some(seq)) => ("statement_entry", format!("{id}/leaf-{seq}")),
        (None, None) => ("statement", format!("{id}/")),
    };
    let sub_class: &str = row.try_get("sub_class")?;
    let detail: String = row.try_get("detail")?;
    let found = Found::new(Class::R10, sub_class_of(sub_class), subject, detail);
    let amount: Option<i64> = row.try_get("amount")?;
    Ok(match amount {
        Some(amount) => found.amount(amount.into(), currency),
        None => found,
    })
}

fn sub_class_of(name: &str) -> &'static str {
    const NAMES: [&str; 8] =
        ["missing_here", "missing_there", "amount", "currency", "duplicate", "ambiguous", "late", "closing"];
    NAMES.into_iter().find(|known| *known == name).expect("the scripts beside this file use these names")
}
