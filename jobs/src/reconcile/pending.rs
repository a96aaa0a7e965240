//! R7: a request may be pending as long as its job lives; one whose job is lost or dead will never be decided.

use domain::reconciliation::r07_requests::Pending;
use ledger::reconcile::{Class, Found};
use queue::inspect::whereabouts;
use sqlx::PgConnection;
use uuid::Uuid;

/// A job that lives and has not been done for so long is told of, in seconds.
const LATE_SECONDS: i64 = 900;

/// Judges requests that were pending in the snapshot, by their jobs in the same snapshot.
pub(super) async fn judge(snapshot: &mut PgConnection, shard: i16, pending: &[Pending]) -> sqlx::Result<Vec<Found>> {
    if pending.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<Uuid> = pending.iter().map(|pending| pending.id).collect();
    let jobs = whereabouts(snapshot, shard, &ids).await?;
    let found = |pending: &Pending| {
        let (id, age) = (pending.id, pending.age_seconds);
        let (is_live, is_dead) = (jobs.live.contains(&id), jobs.dead.contains(&id));
        let (sub_class, problem) = match (pending.is_recorded, is_live, is_dead) {
            (true, false, _) => ("verdict_missing", "is recorded, and still told to be pending"),
            (_, true, _) if age < LATE_SECONDS => return None,
            (_, true, _) => ("job_late", "is pending, and its job has not come to an end"),
            (false, false, true) => ("job_dead", "is pending, and its job is dead: redrive it"),
            (false, false, false) => ("job_lost", "is pending, and has no job"),
        };
        let subject = ("transaction", id.to_string());
        let found = Found::new(Class::R7, sub_class, subject, format!("request {id} of {age} s ago {problem}"));
        Some(found.amount(pending.amount.into(), pending.currency.clone()))
    };
    Ok(pending.iter().filter_map(found).collect())
}
