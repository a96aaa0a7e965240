//! The days of the job history: each needs a partition before it begins.

use anyhow::Result;
use sqlx::PgConnection;

use super::examine::Subject;
use super::report::{Seen, Severity};

/// Counts the days ahead without a gap, and looks for jobs that were filed without one.
pub(super) async fn check(subject: &Subject, conn: &mut PgConnection) -> Result<Seen> {
    let mut seen = Seen::default();
    let ahead = sqlx::query_scalar!(
        r#"
        select count(*) filter (where is_there and not is_gap_before) as "ahead!"
          from (
            select day.is_there, bool_or(not day.is_there) over (order by day.number) as is_gap_before
              from (
                select number, to_regclass(
                           'queue.job_history_' || to_char((now() at time zone 'utc')::date + number, 'YYYYMMDD')
                       ) is not null as is_there
                  from generate_series(1, 30) as number
              ) as day
          ) as days
        "#
    );
    let ahead = ahead.fetch_one(&mut *conn).await?;
    seen.fact("history", format!("{ahead} days ahead have a partition"));
    if ahead < subject.thresholds.days_ahead {
        seen.find(
            Severity::Warning,
            "few_ahead",
            format!("{ahead} days ahead have a partition of queue.job_history"),
            "jobs of a day without one go to the default partition, which makes the day's own slower to come and to go",
            "workers make seven days ahead every hour: start one with `bitnexus worker`; its log says if a lock keeps it from that",
        );
    }
    let strays = sqlx::query_scalar!(r#"select exists (select from queue.job_history_default) as "strays!""#);
    if strays.fetch_one(conn).await? {
        seen.find(
            Severity::Warning,
            "strays",
            "queue.job_history_default has jobs that belong to a day",
            "they are not dropped with their day, and slow down each new partition",
            "workers move them when they make the day: start one with `bitnexus worker`; count them with `bitnexus db psql -c 'select finished_at::date, count(*) from queue.job_history_default group by 1'`",
        );
    }
    Ok(seen)
}
