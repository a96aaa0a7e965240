//! R10: statements of others say the same: each that is due is matched, and what does not agree is a break.

use ledger::reconcile::{Page, Place};
use sqlx::PgConnection;
use uuid::Uuid;

use super::gone::{Looked, close_gone};
use super::{Window, keep, statements};

/// What one statement came to.
#[derive(Debug, Clone, Default)]
pub struct Done {
    /// Its breaks are written already: they end, too, when the statement agrees.
    pub page: Page,
    /// Breaks beyond the most that are kept.
    pub left_out: u64,
}

/// Matches the next statement that is due, and writes what it came to, all in the caller's transaction.
///
/// # Errors
/// When the database fails.
pub async fn page(conn: &mut PgConnection, window: &Window, run: Uuid, place: Option<Place>) -> sqlx::Result<Done> {
    let after = match place {
        None => Uuid::nil(),
        Some(Place::Id(id)) => id,
        Some(other) => unreachable!("statements are gone on with after one of them, not at {other:?}"),
    };
    let scope = &window.ledger;
    let Some(id) = statements::due(conn, scope.book, after, scope.is_full).await? else {
        return Ok(Done::default());
    };
    let matched = statements::match_statement(conn, scope.book, id).await?;
    keep::keep(conn, scope.book, run, &matched.found).await?;
    if matched.left_out == 0 {
        close_gone(conn, scope.book, run, Looked::AtStatement(id)).await?;
    }
    let page = Page { scanned: matched.scanned, next: Some(Place::Id(id)), ..Page::default() };
    Ok(Done { page, left_out: matched.left_out })
}
