//! R11, the domain's half: an open wallet is an account of the ledger, in the wallet's currency.

use ledger::reconcile::{Class, Found, Page};
use sqlx::PgConnection;

use super::Window;

/// The most rows that one run takes.
const FOUND_MAX: i64 = 1_000;

/// Does the whole check, which an incremental run leaves to the full one.
///
/// # Errors
/// When the database fails.
pub async fn page(conn: &mut PgConnection, window: &Window) -> sqlx::Result<Page> {
    if !window.ledger.is_full {
        return Ok(Page::default());
    }
    let rows = sqlx::query!(
        r#"select w.account_id, w.currency, a.currency as "held_in?"
           from app.wallet as w
           left join ledger.account as a on a.shard = w.shard and a.book = w.book_id and a.id = w.account_id
           where w.shard = $1
             and w.book_id = $2
             and w.state = 'open'
             and a.currency is distinct from w.currency
           order by w.account_id
           limit $3"#,
        window.ledger.book.shard,
        window.ledger.book.id,
        FOUND_MAX,
    )
    .fetch_all(conn)
    .await?;
    let found = rows.into_iter().map(|row| {
        let detail = match row.held_in {
            Some(held_in) => format!("wallet {} is in {}, its account in {held_in}", row.account_id, row.currency),
            None => format!("wallet {} is open, and the ledger has no such account", row.account_id),
        };
        Found::new(Class::R11, "wallet", ("account", row.account_id.to_string()), detail)
    });
    let found: Vec<Found> = found.collect();
    Ok(Page { scanned: found.len() as u64, found, ..Page::default() })
}
