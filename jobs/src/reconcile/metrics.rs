//! What is measured of reconciliation; docs/RECONCILIATION.md lists it.

use std::time::Duration;

use domain::reconciliation::{report, statements};
use ledger::Book;
use ledger::reconcile::Class;
use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use sqlx::PgConnection;

use super::engine::Done;

/// Open breaks, by `class`.
pub const BREAKS: &str = "ledger_breaks";
/// What open breaks add up to in minor units, by `currency`.
pub const AMOUNT: &str = "ledger_break_amount_minor";
/// How long ago the oldest open break was found, in seconds.
pub const OLDEST: &str = "ledger_oldest_break_age_seconds";
/// Which share of the lines of all statements was matched, 0 to 1.
pub const AUTO_MATCHED: &str = "ledger_auto_match_ratio";
/// How long runs take, in seconds.
pub const RUN_SECONDS: &str = "ledger_reconcile_seconds";
/// Runs that came to their end, by `outcome`: `clean` or `breaks`.
pub const RUNS: &str = "ledger_reconciles_total";
/// When the last run came to its end, in seconds since 1970.
pub const LAST: &str = "ledger_reconcile_last_success_timestamp_seconds";

/// Describes them to whoever reads `/metrics`.
fn describe() {
    describe_gauge!(BREAKS, Unit::Count, "Open breaks, by class");
    describe_gauge!(AMOUNT, Unit::Count, "What open breaks add up to in minor units, by currency");
    describe_gauge!(OLDEST, Unit::Seconds, "Age of the oldest open break");
    describe_gauge!(AUTO_MATCHED, Unit::Count, "Share of the lines of all statements that was matched, 0 to 1");
    describe_histogram!(RUN_SECONDS, Unit::Seconds, "How long runs take");
    describe_counter!(RUNS, Unit::Count, "Runs that came to their end, by outcome");
    describe_gauge!(LAST, Unit::Seconds, "When the last run came to its end, in seconds since 1970");
}

/// Sets them after a run.
pub(super) async fn measure(conn: &mut PgConnection, book: Book, done: &Done) -> sqlx::Result<()> {
    describe();
    let open = report::open_by_class(conn, book).await?;
    for class in Class::ALL {
        let of_class = open.iter().filter(|one| one.class == class.as_str());
        gauge!(BREAKS, "class" => class.as_str()).set(of_class.map(|one| one.count).sum::<i64>() as f64);
    }
    for currency in ledger::Currency::all() {
        let of_currency = open.iter().filter(|one| one.currency.as_deref() == Some(currency.code()));
        let amount: i64 = of_currency.map(|one| one.amount).sum();
        if amount > 0 || domain::validate::CURRENCIES.contains(&currency) {
            gauge!(AMOUNT, "currency" => currency.code()).set(amount as f64);
        }
    }
    gauge!(OLDEST).set(open.iter().map(|one| one.oldest_seconds).max().unwrap_or(0) as f64);
    if let (lines @ 1.., matched) = statements::auto_matched(conn, book).await? {
        gauge!(AUTO_MATCHED).set(matched as f64 / lines as f64);
    }
    histogram!(RUN_SECONDS).record(done.took);
    counter!(RUNS, "outcome" => if done.summary.is_clean { "clean" } else { "breaks" }).increment(1);
    let ended: i64 = sqlx::query_scalar!(r#"select extract(epoch from clock_timestamp())::bigint as "now!""#)
        .fetch_one(conn)
        .await?;
    gauge!(LAST).set(Duration::from_secs(ended.unsigned_abs()).as_secs_f64());
    Ok(())
}
