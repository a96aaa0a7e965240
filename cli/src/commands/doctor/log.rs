//! The ledger's log and its signed checkpoints.

use anyhow::Result;
use sqlx::PgConnection;

use super::examine::Subject;
use super::report::{Seen, Severity, span};

/// So much later than a warning, an unsigned posting is an error.
const TIMES: f64 = 10.0;

/// Looks at the head of each book, and at its last checkpoint.
pub(super) async fn check(subject: &Subject, conn: &mut PgConnection) -> Result<Seen> {
    let mut seen = Seen::default();
    let rows = sqlx::query!(
        r#"
        select book.name, book.size,
               last.size as "signed?",
               extract(epoch from clock_timestamp() - last.signed_at)::float8 as "signed_age_s?",
               (last.size = book.size and last.root <> book.root) as "is_other_root?",
               extract(epoch from clock_timestamp() - next.recorded_at)::float8 as "unsigned_s?",
               extract(epoch from book.recorded_at - clock_timestamp())::float8 as "ahead_s?"
          from ledger.book as book
          left join lateral (
                   select size, root, signed_at
                     from ledger.checkpoint as one
                    where one.shard = book.shard and one.book = book.book
                    order by size desc
                    limit 1
               ) as last on true
          left join lateral (
                   -- The first that no checkpoint covers.
                   select recorded_at
                     from ledger.transaction as one
                    where one.shard = book.shard and one.book = book.book and one.seq = coalesce(last.size, 0)
               ) as next on true
         order by book.shard, book.book
        "#
    );
    for row in rows.fetch_all(conn).await? {
        let signed = row.signed.unwrap_or(0);
        let age = row.signed_age_s.map_or_else(|| "never".to_owned(), |age| format!("{} ago", span(age)));
        seen.fact(
            "ledger",
            format!(
                "{}: {} transactions, the last checkpoint covers {signed} and was signed {age}",
                row.name, row.size
            ),
        );
        if signed > row.size || row.is_other_root == Some(true) {
            seen.find(
                Severity::Error,
                "rolled_back",
                format!("the book {} has {} transactions, and a signed checkpoint of {signed} does not fit it", row.name, row.size),
                "the log was put back or changed after it was signed for: whoever holds that checkpoint can prove it",
                "stop all roles, then `bitnexus ledger verify`; go on only with a restore that reaches the last checkpoint which left the house",
            );
        }
        if let Some(ahead_s) = row.ahead_s.filter(|ahead_s| *ahead_s > subject.thresholds.clock_s) {
            seen.find(
                Severity::Warning,
                "ahead",
                format!("the last transaction of the book {} was recorded {} from now", row.name, span(ahead_s)),
                "the database's clock was put back; until it is there again, each transaction is recorded a microsecond after the one before, and a hold that is to end before then is refused",
                "see that the database's clock is right and stays so, and have new holds end later, or wait",
            );
        }
        if let Some(waiting_s) = row.unsigned_s.filter(|waiting_s| *waiting_s > subject.thresholds.unsigned_s) {
            let is_long = waiting_s > subject.thresholds.unsigned_s * TIMES;
            seen.find(
                if is_long { Severity::Error } else { Severity::Warning },
                "unsigned",
                format!("the book {} has transactions that no signed checkpoint covers, since {}", row.name, span(waiting_s)),
                "nobody can get a receipt for them; they are recorded all the same",
                "`bitnexus jobs list --kind ledger.publish_checkpoint` tells why signing fails: most often the key, see `bitnexus ledger key show`",
            );
        }
    }
    Ok(seen)
}
