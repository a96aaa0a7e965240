//! When ledger, requests and statements were last compared, and what did not agree.

use anyhow::Result;
use ledger::Book;
use sqlx::PgConnection;

use super::examine::Subject;
use super::report::{Seen, Severity, span};

/// Looks at the main book's last run and at its open breaks.
pub(super) async fn check(subject: &Subject, conn: &mut PgConnection) -> Result<Seen> {
    let mut seen = Seen::default();
    let age = sqlx::query!(
        r#"
        select extract(epoch from clock_timestamp() - max(run.ended_at))::float8 as "ended_s?",
               extract(epoch from clock_timestamp() - max(book.created_at))::float8 as "book_s?"
          from ledger.book as book
          left join reconciliation.run as run
            on run.shard = book.shard and run.book = book.book and run.ended_at is not null
         where book.shard = $1 and book.book = $2
        "#,
        Book::MAIN.shard,
        Book::MAIN.id,
    );
    let age = age.fetch_one(&mut *conn).await?;
    let told = age.ended_s.map_or_else(|| "never yet".to_owned(), |ended_s| format!("{} ago", span(ended_s)));
    seen.fact("reconciled", told.clone());
    // A new book is reconciled for the first time within minutes.
    if age.ended_s.or(age.book_s).is_some_and(|since_s| since_s > subject.thresholds.reconciled_s) {
        seen.find(
            Severity::Warning,
            "late",
            format!("the book was last reconciled: {told}"),
            "what does not agree is found later than it could be",
            "`bitnexus schedules list` shows when ledger.reconcile is due, `bitnexus ledger reconcile` does it now",
        );
    }
    breaks(conn, &mut seen).await?;
    Ok(seen)
}

async fn breaks(conn: &mut PgConnection, seen: &mut Seen) -> Result<()> {
    let rows = sqlx::query!(
        r#"
        select severity as "severity!", count(*) as "breaks!",
               string_agg(distinct class, ', ') as "classes!",
               extract(epoch from clock_timestamp() - min(first_seen_at))::float8 as "age_s!"
          from reconciliation.break
         where shard = $1
           and book = $2
           and state in ('open', 'assigned')
         group by severity
         order by severity
        "#,
        Book::MAIN.shard,
        Book::MAIN.id,
    );
    for row in rows.fetch_all(conn).await? {
        let is_grave = ["critical", "high"].contains(&row.severity.as_str());
        seen.find(
            if is_grave { Severity::Error } else { Severity::Warning },
            "breaks",
            format!("{} breaks of severity {} are open ({}), the oldest for {}", row.breaks, row.severity, row.classes, span(row.age_s)),
            "ledger, requests or statements do not agree; what is recorded is never changed by that",
            "`bitnexus ledger breaks` lists them, `docs/RECONCILIATION.md` says what each class means and what mends it",
        );
    }
    Ok(())
}
