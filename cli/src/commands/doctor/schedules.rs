//! Whether what is to be enqueued again and again is.

use anyhow::Result;
use ledger::Book;
use sqlx::PgConnection;

use super::examine::Subject;
use super::report::{Seen, Severity, span};

/// Looks at every schedule.
pub(super) async fn check(subject: &Subject, conn: &mut PgConnection) -> Result<Seen> {
    let mut seen = Seen::default();
    let rows = sqlx::query!(
        r#"
        select name, is_paused, error, is_declared,
               extract(epoch from clock_timestamp() - next_at)::float8 as late_s
          from queue.schedule
         where shard = $1
         order by name
        "#,
        Book::MAIN.shard,
    );
    for row in rows.fetch_all(conn).await? {
        let name = row.name;
        if let Some(error) = row.error {
            seen.find(
                Severity::Error,
                "failing",
                format!("the schedule {name} cannot be fired: {error}"),
                "none of its jobs is enqueued",
                format!("`bitnexus schedules list`, then `bitnexus schedules set {name}` with what it should have"),
            );
        } else if row.is_paused && row.is_declared {
            seen.find(
                Severity::Warning,
                "paused",
                format!("the schedule {name} is paused"),
                "what the service needs to be done again and again is not done",
                format!("`bitnexus schedules resume {name}`"),
            );
        } else if let Some(late_s) = row.late_s.filter(|late_s| !row.is_paused && *late_s > subject.thresholds.tick_s) {
            seen.find(
                Severity::Warning,
                "late",
                format!("the schedule {name} should have fired {} ago", span(late_s)),
                "no worker fires schedules",
                "start one: `bitnexus worker`",
            );
        }
    }
    Ok(seen)
}
