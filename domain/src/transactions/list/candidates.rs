//! What comes next, by an index alone: ids in their order, which is the order of acceptance.

use chrono::{DateTime, TimeDelta, Utc};
use ledger::Book;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Filter, Order};

/// How far the clocks that make ids and the one that says when a row was made may be apart.
const CLOCKS_APART: TimeDelta = TimeDelta::seconds(5);

/// Which index tells what comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Among {
    /// Those in which one of these accounts takes part.
    Accounts(Vec<Uuid>),
    /// Those of a product.
    Product(Uuid),
    /// All of the book's.
    Book,
}

/// Ids between two others, these left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    above: Uuid,
    below: Uuid,
}

impl Range {
    /// What a filter's times and its page leave. Ids are UUIDv7: they begin with the time that they were made at.
    pub(super) fn of(filter: &Filter) -> Range {
        let above = filter.created.from.and_then(|from| first_of(from.checked_sub_signed(CLOCKS_APART)?));
        let below = filter.created.before.and_then(|before| first_of(before.checked_add_signed(CLOCKS_APART)?));
        let range = Range { above: above.unwrap_or(Uuid::nil()), below: below.unwrap_or(Uuid::max()) };
        match filter.page.after {
            Some(last) => range.after(filter.order, last),
            None => range,
        }
    }

    /// What is left of it after this id.
    pub(super) fn after(self, order: Order, id: Uuid) -> Range {
        match order {
            Order::NewestFirst => Range { below: id.min(self.below), ..self },
            Order::OldestFirst => Range { above: id.max(self.above), ..self },
        }
    }
}

/// What no id of this time or later is below; none before 1970, which no id is of.
fn first_of(time: DateTime<Utc>) -> Option<Uuid> {
    let millis = u64::try_from(time.timestamp_millis()).ok()?;
    // 48 bits hold the milliseconds of the next nine thousand years.
    Some(Uuid::from_u128(u128::from(millis) << 80))
}

/// The statements for one order, since a statement for both would have no index for either.
macro_rules! next {
    ($conn:ident, $book:ident, $among:ident, $range:ident, $limit:ident, $direction:literal) => {
        match $among {
            Among::Accounts(accounts) => {
                sqlx::query_scalar!(
                    r#"select found.id as "id!"
                       from unnest($1::uuid[]) as account (id)
                       -- An account lies in one shard, and these three indexes do not begin with it.
                       cross join lateral (
                           (
                               select id
                               from app.transaction
                               where from_account = account.id and id > $2 and id < $3
                               order by id "#
                        + $direction
                        + r#"
                               limit $4
                           )
                           union all
                           (
                               select id
                               from app.transaction
                               where to_account = account.id and id > $2 and id < $3
                               order by id "#
                        + $direction
                        + r#"
                               limit $4
                           )
                           union all
                           (
                               select transaction_id
                               from app.transaction_leg
                               where account_id = account.id and transaction_id > $2 and transaction_id < $3
                               order by transaction_id "#
                        + $direction
                        + r#"
                               limit $4
                           )
                       ) as found
                       group by found.id
                       order by found.id "#
                        + $direction
                        + r#"
                       limit $4"#,
                    accounts,
                    $range.above,
                    $range.below,
                    $limit,
                )
                .fetch_all($conn)
                .await
            }
            Among::Product(product) => {
                sqlx::query_scalar!(
                    "select id
                     from app.transaction
                     where product_id = $1 and id > $2 and id < $3
                     order by id "
                        + $direction
                        + "
                     limit $4",
                    product,
                    $range.above,
                    $range.below,
                    $limit,
                )
                .fetch_all($conn)
                .await
            }
            Among::Book => {
                sqlx::query_scalar!(
                    "select id
                     from app.transaction
                     where shard = $1 and book_id = $2 and id > $3 and id < $4
                     order by id "
                        + $direction
                        + "
                     limit $5",
                    $book.shard,
                    $book.id,
                    $range.above,
                    $range.below,
                    $limit,
                )
                .fetch_all($conn)
                .await
            }
        }
    };
}

/// The next ids of the range, at most `limit` of them.
pub(super) async fn next(
    conn: &mut PgConnection,
    book: Book,
    among: &Among,
    order: Order,
    range: Range,
    limit: i64,
) -> sqlx::Result<Vec<Uuid>> {
    match order {
        Order::NewestFirst => next!(conn, book, among, range, limit, "desc"),
        Order::OldestFirst => next!(conn, book, among, range, limit, "asc"),
    }
}
