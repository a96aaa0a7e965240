//! How grave a break is: at least what its class is, and more with its amount and age.

use ledger::Currency;
use ledger::reconcile::{Class, Found};
use sqlx::PgConnection;

/// How grave a break is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Within a week.
    Low,
    /// Within five days; from 1,000 units of a currency or a day on.
    Medium,
    /// Within two days; from 10,000 units or three days on.
    High,
    /// Within a day; from 100,000 units or five days on, and whatever says that the ledger is damaged.
    Critical,
}

impl Severity {
    /// Every severity, the least first.
    pub const ALL: [Severity; 4] = [Severity::Low, Severity::Medium, Severity::High, Severity::Critical];

    /// Its stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }

    /// The severity of that name.
    pub fn parse(name: &str) -> Option<Severity> {
        Severity::ALL.into_iter().find(|severity| severity.as_str() == name)
    }

    /// What a finding is at least.
    pub(crate) fn least(found: &Found) -> Severity {
        match (found.class, found.sub_class) {
            (Class::R4, "overdue") | (Class::R7, "job_late") => Severity::Medium,
            (Class::R4 | Class::R7 | Class::R12, _) => Severity::High,
            (Class::R9 | Class::R10, _) => Severity::Low,
            _ => Severity::Critical,
        }
    }
}

/// Raises the severity of the book's open breaks by what their amounts and ages are now.
///
/// # Errors
/// When the database fails.
pub async fn update(conn: &mut PgConnection, book: ledger::Book) -> sqlx::Result<()> {
    let currencies: Vec<String> = Currency::all().map(|currency| currency.code().to_owned()).collect();
    let units: Vec<i64> = Currency::all().map(|currency| 10_i64.pow(u32::from(currency.scale()))).collect();
    sqlx::query!(
        "update reconciliation.break as b
         set severity = graded.severity
         from (
             select open.id,
                    case
                        when open.severity_least = 'critical' or open.units >= 100000 or open.hours >= 120
                            then 'critical'
                        when open.severity_least = 'high' or open.units >= 10000 or open.hours >= 72 then 'high'
                        when open.severity_least = 'medium' or open.units >= 1000 or open.hours >= 24 then 'medium'
                        else 'low'
                    end as severity
             from (
                 select found.id, found.severity_least,
                        coalesce(abs(found.amount::numeric) / scale.unit, 0) as units,
                        extract(epoch from now() - found.first_seen_at) / 3600 as hours
                 from reconciliation.break as found
                 left join unnest($3::text[], $4::bigint[]) as scale (currency, unit) on scale.currency = found.currency
                 where found.shard = $1 and found.book = $2 and found.state in ('open', 'assigned')
             ) as open
         ) as graded
         where b.shard = $1 and b.id = graded.id and b.severity <> graded.severity",
        book.shard,
        book.id,
        &currencies,
        &units,
    )
    .execute(conn)
    .await?;
    Ok(())
}
