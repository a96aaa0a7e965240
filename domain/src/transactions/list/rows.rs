//! Those of the candidates that the filter wants.

use ledger::Book;
use sqlx::PgConnection;
use uuid::Uuid;

use super::super::read::{Row, whole};
use super::{Filter, Kind, Order, State, Transaction};

/// The transactions among these that the filter wants, in its order.
pub(super) async fn matching(
    conn: &mut PgConnection,
    book: Book,
    ids: &[Uuid],
    filter: &Filter,
) -> sqlx::Result<Vec<Transaction>> {
    let rows = sqlx::query_file_as!(
        Row,
        "src/transactions/list/matching.sql",
        book.shard,
        ids,
        book.id,
        filter.kind.map(Kind::as_str),
        filter.status.map(State::as_str),
        filter.created.from,
        filter.created.before,
        filter.effective.from,
        filter.effective.before,
        filter.product.map(|product| product.0),
        filter.counterparty.map(|account| account.0),
        filter.amount.map(|amount| amount.currency.code()),
        filter.amount.map(|amount| amount.min),
        filter.amount.map(|amount| amount.max),
    )
    .fetch_all(&mut *conn)
    .await?;
    let mut found = whole(conn, book, rows).await?;
    match filter.order {
        Order::NewestFirst => found.sort_unstable_by_key(|one| std::cmp::Reverse(one.id.0)),
        Order::OldestFirst => found.sort_unstable_by_key(|one| one.id.0),
    }
    Ok(found)
}
