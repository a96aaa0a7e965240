//! How the main book and its reconciliation are.

use domain::reconciliation::{report, statements};
use ledger::Book;
use ledger::reconcile::Class;
use queue::metrics::{self as define, Metric};
use sqlx::PgConnection;

use super::set;

const LOG_SIZE: Metric = define::gauge("ledger_log_size", &[], "Leaves of the log of the main book.");
const CHECKPOINT_SIZE: Metric = define::gauge("ledger_checkpoint_size", &[], "Leaves that the last checkpoint covers.");
const WITNESSED_SIZE: Metric = define::gauge(
    "ledger_witnessed_size",
    &[],
    "Leaves that the last checkpoint which a witness signed covers; 0 without one.",
);
const CHECKPOINT_AGE: Metric =
    define::gauge_seconds("ledger_checkpoint_age_seconds", &[], "Age of the last checkpoint; 0 before the first.");
const PENDING: Metric = define::gauge(
    "ledger_pending_transactions",
    &[],
    "Accepted transactions that are not recorded yet: live jobs of the queue ledger.",
);
const BREAKS: Metric = define::gauge("ledger_breaks", &["class"], "Open breaks.");
const AMOUNT: Metric =
    define::gauge("ledger_break_amount_minor", &["currency"], "What open breaks add up to, in minor units.");
const OLDEST: Metric = define::gauge_seconds(
    "ledger_oldest_break_seconds",
    &[],
    "How long ago the oldest open break was found; 0 without one.",
);
const AUTO_MATCHED: Metric = define::gauge(
    "ledger_auto_match_ratio",
    &[],
    "Which share of the lines of all statements was matched, 0 to 1; 1 while there are none.",
);
const RECONCILED_AT: Metric = define::gauge_seconds(
    "ledger_reconcile_last_success_timestamp_seconds",
    &[],
    "When the last run came to its end, in seconds since 1970; 0 before the first.",
);

pub(super) const METRICS: [Metric; 10] = [
    LOG_SIZE,
    CHECKPOINT_SIZE,
    WITNESSED_SIZE,
    CHECKPOINT_AGE,
    PENDING,
    BREAKS,
    AMOUNT,
    OLDEST,
    AUTO_MATCHED,
    RECONCILED_AT,
];

pub(super) fn register() {
    BREAKS.register(&[&Class::ALL.map(Class::as_str)]);
    let currencies: Vec<&str> = domain::validate::CURRENCIES.iter().map(|currency| currency.code()).collect();
    AMOUNT.register(&[&currencies]);
    for metric in METRICS.iter().filter(|metric| metric.labels.is_empty()) {
        metric.register(&[]);
    }
}

pub(super) async fn read(conn: &mut PgConnection, book: Book) -> sqlx::Result<()> {
    let head = sqlx::query!(
        r#"
        select head.size as "size!",
               coalesce(signed.size, 0) as "signed_size!",
               coalesce(extract(epoch from clock_timestamp() - signed.signed_at), 0)::float8 as "age_s!",
               (select coalesce(max(size), 0)
                  from ledger.cosignature
                 where shard = $1 and book = $2) as "witnessed_size!",
               (select coalesce(extract(epoch from max(ended_at)), 0)::float8
                  from reconciliation.run
                 where shard = $1 and book = $2 and ended_at is not null) as "reconciled_at!",
               (select coalesce(sum(scheduled) + sum(ready) + sum(running) + sum(waiting), 0)::bigint
                  from (select * from queue.counter where shard = $1 and queue = $3
                         union all
                        select * from queue.counter_change where shard = $1 and queue = $3) as parts) as "pending!"
          from ledger.book as head
          left join lateral (
               select size, signed_at
                 from ledger.checkpoint
                where shard = $1 and book = $2
                order by size desc
                limit 1
               ) as signed on true
         where head.shard = $1 and head.book = $2
        "#,
        book.shard,
        book.id,
        jobs::LEDGER_QUEUE,
    );
    if let Some(head) = head.fetch_optional(&mut *conn).await? {
        set(&LOG_SIZE, None, head.size as f64);
        set(&CHECKPOINT_SIZE, None, head.signed_size as f64);
        set(&WITNESSED_SIZE, None, head.witnessed_size as f64);
        set(&CHECKPOINT_AGE, None, head.age_s);
        set(&RECONCILED_AT, None, head.reconciled_at);
        set(&PENDING, None, head.pending as f64);
    }
    breaks(conn, book).await
}

async fn breaks(conn: &mut PgConnection, book: Book) -> sqlx::Result<()> {
    let open = report::open_by_class(conn, book).await?;
    for class in Class::ALL {
        let of_class = open.iter().filter(|one| one.class == class.as_str());
        set(&BREAKS, Some(class.as_str()), of_class.map(|one| one.count).sum::<i64>() as f64);
    }
    for currency in domain::validate::CURRENCIES {
        let of_currency = open.iter().filter(|one| one.currency.as_deref() == Some(currency.code()));
        set(&AMOUNT, Some(currency.code()), of_currency.map(|one| one.amount).sum::<i64>() as f64);
    }
    set(&OLDEST, None, open.iter().map(|one| one.oldest_seconds).max().unwrap_or(0) as f64);
    let (lines, matched) = statements::auto_matched(conn, book).await?;
    set(&AUTO_MATCHED, None, if lines == 0 { 1.0 } else { matched as f64 / lines as f64 });
    Ok(())
}
