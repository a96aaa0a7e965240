//! What the operations on one job share: who may see it, and what stands against changing it.

use domain::Principal;
use poem::http::StatusCode;
use queue::control::Answer;
use queue::inspect::{self, JobState};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::problem::Problem;
use crate::reply::Refusal;

/// The refusal of every operation that changes one job.
pub(super) const AGAINST: &[Refusal] = &[
    Refusal { status: 409, code: "job_ended", when: "The job has ended." },
    Refusal { status: 409, code: "job_running", when: "The job runs." },
    Refusal { status: 409, code: "job_not_waiting", when: "The job is not in a state for this." },
];

/// The job, if the caller may see it: staff see all, users the jobs of their own requests.
pub(crate) async fn visible(
    conn: &mut PgConnection,
    principal: &Principal,
    id: Uuid,
) -> Result<inspect::JobView, Problem> {
    let job = inspect::find(conn, principal.book.shard, id).await?;
    let asked = principal.user_id.to_string();
    let may_see = |job: &inspect::JobView| principal.is_staff() || job.actor.as_deref() == Some(asked.as_str());
    job.filter(may_see).ok_or_else(Problem::not_found)
}

/// Refuses with the job's state if the call changed nothing.
pub(super) fn changed(answer: Answer, before: &inspect::JobView) -> Result<(), Problem> {
    if answer.changed > 0 {
        return Ok(());
    }
    let (code, detail) = match before.state {
        JobState::Running => ("job_running", "The job runs."),
        JobState::Succeeded | JobState::Discarded | JobState::Cancelled => ("job_ended", "The job has ended."),
        _ => ("job_not_waiting", "The job is not in a state for this; look at it again."),
    };
    Err(Problem::new(StatusCode::CONFLICT, code, detail))
}
