//! `POST /api/v1/ledger/reconciliations`

use jobs::reconcile::{self, Asked};
use jobs::submitted::Submitted;
use poem_openapi::param::Header;
use poem_openapi::{ApiResponse, Object, OpenApi};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::auth::{Caller, needs};
use crate::body::object::object;
use crate::body::{Body, Shape};
use crate::idempotency::{IdempotencyKey, repeatable};
use crate::reply::{Failure, Operation, Refusal, Reply, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::reconciliation::Kind;

pub(crate) struct CreateReconciliation(pub(crate) State);

impl Operation for CreateReconciliation {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::BODY, refusals::IDEMPOTENT, refusals::ANY];
}

object! {
    /// A run of the checks R1 to R12.
    pub(crate) struct NewReconciliation {
        /// Everything, or what came since the last verified size; `incremental` if absent.
        pub kind: Option<Kind>,
        /// `on`: projections are derived again and lost work is enqueued under its id; `off` if absent.
        pub repair: Option<Switch>,
    }
    example { "kind": "full" }
}

crate::body::choice::choice! {
    /// Whether something is done.
    pub(crate) enum Switch {
        /// It is.
        On = "on",
        /// It is not.
        Off = "off",
    }
}

impl Shape for NewReconciliation {}

/// A run that was asked for.
#[derive(Debug, Object, Serialize)]
pub(crate) struct AskedReconciliation {
    /// The run; the job that does it has the same id.
    id: Uuid,
    /// The job to follow.
    job_id: Uuid,
}

#[derive(ApiResponse)]
pub(crate) enum Response {
    /// The job `job_id` runs the checks.
    #[oai(status = 202)]
    Accepted(
        Reply<AskedReconciliation>,
        /// Where the run is.
        #[oai(header = "Location")]
        String,
        /// `true` when this answers an earlier request of the same key.
        #[oai(header = "Idempotency-Replayed")]
        Option<bool>,
    ),
}

#[OpenApi(tag = "Tag::Reconciliation")]
impl CreateReconciliation {
    /// Reconcile
    ///
    /// For staff. Runs come by themselves, too: an incremental one every five minutes, a full one a day.
    #[oai(path = "/api/v1/ledger/reconciliations", method = "post", operation_id = "createReconciliation")]
    async fn call(
        &self,
        #[oai(scope = "needs::LEDGER_ADMIN")] caller: Caller,
        /// Makes the request safe to repeat: the same key and body get the same answer.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<IdempotencyKey>>,
        body: Body<NewReconciliation>,
    ) -> Result<Response, Failure<Self>> {
        let wanted = (body.value.kind == Some(Kind::Full), body.value.repair == Some(Switch::On));
        let repeatable = repeatable(key.0, "POST /api/v1/ledger/reconciliations", body.fingerprint, kept);
        let state = &self.0;
        match reconcile::submit(&state.pool, &state.notifier, &caller.0, wanted, repeatable.as_ref()).await? {
            Submitted::Done(asked) => {
                Ok(Response::Accepted(Reply::of(&view(&asked)), location(&asked.id.to_string()), None))
            }
            Submitted::Replayed(kept) => {
                let location = location(kept["id"].as_str().unwrap_or_default());
                Ok(Response::Accepted(Reply::kept(&kept), location, Some(true)))
            }
        }
    }
}

fn view(asked: &Asked) -> AskedReconciliation {
    AskedReconciliation { id: asked.id, job_id: asked.id }
}

fn kept(asked: &Asked) -> Option<Value> {
    serde_json::to_value(view(asked)).ok()
}

fn location(id: &str) -> String {
    format!("/api/v1/ledger/reconciliations/{id}")
}
