//! The clock of this machine beside that of the database, which decides.

use std::time::UNIX_EPOCH;

use anyhow::{Context, Result};
use sqlx::PgConnection;

use super::examine::Subject;
use super::report::{Seen, Severity, span};

/// Compares the database's time with the middle of the time that asking took.
pub(super) async fn check(subject: &Subject, conn: &mut PgConnection) -> Result<Seen> {
    let mut seen = Seen::default();
    let ours = || (subject.clock)().duration_since(UNIX_EPOCH).context("this machine's clock is before 1970");
    let before = ours()?.as_secs_f64();
    let theirs = sqlx::query_scalar!(r#"select extract(epoch from clock_timestamp())::float8 as "now!""#);
    let theirs = theirs.fetch_one(conn).await?;
    let after = ours()?.as_secs_f64();
    let uncertain_s = (after - before) / 2.0;
    let ahead_s = (before + after) / 2.0 - theirs;
    seen.fact("clock", format!("{:+.0} ms from the database's, ± {:.0} ms", ahead_s * 1e3, uncertain_s * 1e3));
    if ahead_s.abs() > subject.thresholds.clock_s + uncertain_s {
        let way = if ahead_s > 0.0 { "ahead of" } else { "behind" };
        seen.find(
            Severity::Warning,
            "skew",
            format!("this machine's clock is {} {way} the database's", span(ahead_s.abs())),
            "leases, schedules and the ledger go by the database's clock; logs, traces and ids of this machine do not fit them",
            "have both machines follow a time server: `timedatectl set-ntp true`",
        );
    }
    Ok(seen)
}
