//! How far Erlang ledgers have been told what the main book has recorded.

use ledger::Book;
use queue::metrics::{self as define, Metric};
use sqlx::PgConnection;

use super::set;

const ENABLED: Metric = define::gauge("mirror_enabled", &[], "Whether an Erlang ledger is configured.");
const LAG: Metric =
    define::gauge("mirror_lag_transactions", &[], "Recorded transactions that the Erlang ledger does not have yet.");
const LAG_SECONDS: Metric =
    define::gauge_seconds("mirror_lag_seconds", &[], "Age of the oldest of them; 0 when there is none.");

pub(super) const METRICS: [Metric; 3] = [ENABLED, LAG, LAG_SECONDS];

pub(super) fn register() {
    METRICS.iter().for_each(|metric| metric.register(&[]));
}

/// The mirrors that workers have had to do with in the last ten minutes: nobody feeds the others any more.
pub(super) async fn read(conn: &mut PgConnection, book: Book) -> sqlx::Result<()> {
    let mirror = sqlx::query!(
        r#"
        select coalesce(max(head.size - mirror.position), 0) as "lag!",
               coalesce(max(extract(epoch from clock_timestamp() - next.recorded_at)), 0)::float8 as "lag_s!",
               count(*) as "count!"
          from app.ledger_mirror as mirror
          join ledger.book as head on head.shard = $1 and head.book = $2
          left join lateral (
               select recorded_at
                 from ledger.transaction
                where shard = $1 and book = $2 and seq = mirror.position
                limit 1
               ) as next on true
         where mirror.shard = $1
           and mirror.book_id = $2
           and mirror.seen_at > clock_timestamp() - interval '10 minutes'
        "#,
        book.shard,
        book.id,
    );
    let mirror = mirror.fetch_one(conn).await?;
    set(&ENABLED, None, if mirror.count > 0 { 1.0 } else { 0.0 });
    set(&LAG, None, mirror.lag as f64);
    set(&LAG_SECONDS, None, mirror.lag_s.max(0.0));
    Ok(())
}
