//! What operators paused, and what died.

use anyhow::Result;
use ledger::Book;
use queue::inspect;
use sqlx::PgConnection;

use super::report::{Seen, Severity, span};
use crate::operator::time;

/// Looks at queues, kinds and dead letters.
pub(super) async fn check(conn: &mut PgConnection) -> Result<Seen> {
    let mut seen = Seen::default();
    for view in inspect::queues(&mut *conn, Book::MAIN.shard, &jobs::QUEUES).await? {
        let Some(at) = view.paused_at else { continue };
        let (queue, waiting) = (&view.counts.queue, view.counts.ready + view.counts.scheduled);
        seen.find(
            Severity::Warning,
            "queue_paused",
            format!(
                "the queue {queue} is paused since {} by {}; {waiting} jobs wait",
                time(at),
                view.paused_by.unwrap_or_default()
            ),
            "nothing is claimed from it",
            format!("`bitnexus queues resume {queue}`"),
        );
    }
    for pause in inspect::paused_kinds(&mut *conn, Book::MAIN.shard).await? {
        seen.find(
            Severity::Warning,
            "kind_paused",
            format!("jobs of {} are paused since {} by {}", pause.kind, time(pause.paused_at), pause.paused_by),
            "none of them begins",
            format!("`bitnexus queues resume --kind {}`", pause.kind),
        );
    }
    dead(conn, &mut seen).await?;
    Ok(seen)
}

async fn dead(conn: &mut PgConnection, seen: &mut Seen) -> Result<()> {
    let rows = sqlx::query!(
        r#"
        select kind as "kind!", count(*) as "jobs!",
               extract(epoch from clock_timestamp() - max(died_at))::float8 as "age_s!"
          from queue.dead_job
         where shard = $1
         group by kind
         order by kind
        "#,
        Book::MAIN.shard,
    );
    for row in rows.fetch_all(conn).await? {
        seen.find(
            Severity::Warning,
            "dead",
            format!("{} jobs of {} are dead, the last since {}", row.jobs, row.kind, span(row.age_s)),
            "what they were to do is not done, and nobody tries again by itself",
            format!(
                "`bitnexus jobs list --state dead --kind {kind}`, see to the cause, then `bitnexus jobs redrive --kind {kind}`",
                kind = row.kind
            ),
        );
    }
    Ok(())
}
