//! R8: an id means one thing: it is recorded once, or refused; and an original is reversed whole at most once.

use sqlx::PgConnection;

use super::pages::{self, FOUND_MAX};
use super::{Class, Found, Page, Place, Scope};
use crate::TransactionId;

pub(super) async fn page(conn: &mut PgConnection, scope: &Scope, place: Option<Place>) -> sqlx::Result<Page> {
    let ((start, stop), next) = pages::window(scope, place);
    let rows = sqlx::query!(
        r#"select t.id as "id: TransactionId", t.seq,
                  (alike.count > 1) as "is_twice!",
                  (refused.id is not null) as "is_refused!",
                  (coalesce(reversals.count, 0) > 1) as "is_reversed_twice!"
           from ledger.transaction as t
           cross join lateral (
               select count(*) as count
               from ledger.transaction
               where shard = $1 and id = t.id and book = $2
               offset 0
           ) as alike
           left join lateral (
               select id
               from ledger.refusal
               where shard = $1 and book = $2 and id = t.id
               offset 0
           ) as refused on true
           left join lateral (
               select count(*) as count
               from ledger.transaction
               where shard = $1 and book = $2 and reverses = t.reverses and reverses is not null
               offset 0
           ) as reversals on true
           where t.shard = $1
               and t.book = $2
               and t.seq >= $3
               and t.seq < $4
               and (alike.count > 1 or refused.id is not null or reversals.count > 1)
           order by t.seq
           limit $5"#,
        scope.book.shard,
        scope.book.id,
        start,
        stop,
        FOUND_MAX
    )
    .fetch_all(conn)
    .await?;
    let mut found = Vec::new();
    for row in rows {
        let problems = [
            (row.is_twice, "recorded_twice", "is recorded more than once"),
            (row.is_refused, "refused_too", "is recorded, and refused too"),
            (row.is_reversed_twice, "reversed_twice", "reverses what another transaction reversed already"),
        ];
        for (_, sub_class, problem) in problems.into_iter().filter(|(is_so, _, _)| *is_so) {
            let detail = format!("transaction {} of leaf {} {problem}", row.id, row.seq);
            found.push(Found::new(Class::R8, sub_class, ("transaction", row.id.to_string()), detail));
        }
    }
    assert!(start <= stop, "a page of the log goes forward");
    Ok(Page { found, scanned: (stop - start) as u64, next, frontier: None })
}
