//! The answer to a request whose work goes on: the job to follow.

use jobs::submitted::Submitted;
use poem_openapi::{ApiResponse, Object};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::reply::Reply;

/// After so many seconds it is worth looking at the job.
const LOOK_AFTER: u32 = 1;

/// Work that was accepted.
#[derive(Debug, Object, Serialize)]
pub(crate) struct AcceptedJob {
    /// The job that does it.
    pub job_id: Uuid,
}

/// The answer that names the job.
#[derive(ApiResponse)]
pub(crate) enum Accepted {
    /// A job does it; follow it at `Location`.
    #[oai(status = 202)]
    Job(
        Reply<AcceptedJob>,
        /// The job.
        #[oai(header = "Location")]
        String,
        /// Seconds after which to look at it.
        #[oai(header = "Retry-After")]
        u32,
        /// `true` when this answers an earlier request of the same key.
        #[oai(header = "Idempotency-Replayed")]
        Option<bool>,
    ),
}

/// What is kept of the answer for its repetition: the job.
pub(crate) fn keep(job_id: &Uuid) -> Option<Value> {
    Some(job_id.to_string().into())
}

impl Accepted {
    /// Names the job that was enqueued, now or by an earlier request of the same key, whose answer [`keep`] kept.
    pub(crate) fn by(submitted: &Submitted<Uuid>) -> Accepted {
        match submitted {
            Submitted::Done(job_id) => Accepted::of(*job_id, false),
            Submitted::Replayed(kept) => {
                let job_id = kept.as_str().and_then(|id| id.parse().ok()).expect("a job's id was kept");
                Accepted::of(job_id, true)
            }
        }
    }

    /// Names the job; `replayed` when an earlier request enqueued it.
    pub(crate) fn of(job_id: Uuid, replayed: bool) -> Accepted {
        let location = format!("/api/v1/jobs/{job_id}");
        Accepted::Job(Reply::of(&AcceptedJob { job_id }), location, LOOK_AFTER, replayed.then_some(true))
    }

    /// The answer again, from what was kept of it: `{"job_id": …}`.
    pub(crate) fn kept(kept: &serde_json::Value) -> Accepted {
        let job_id = kept["job_id"].as_str().and_then(|id| id.parse().ok());
        Accepted::of(job_id.expect("what names a job was kept"), true)
    }
}
