//! `POST /api/v1/job-kinds/{kind}/resume`

use jobs::catalogue;
use jobs::submitted::Submitted;
use poem::http::Uri;
use poem_openapi::OpenApi;
use poem_openapi::param::{Header, Path};
use queue::control::Control;
use queue::inspect;

use crate::auth::{Caller, needs};
use crate::body::text::Text;
use crate::deed::{self, Done};
use crate::idempotency::IdempotencyKey;
use crate::problem::Problem;
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::job_kind::JobKindView;

pub(crate) struct ResumeJobKind(pub(crate) State);

impl Operation for ResumeJobKind {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ONE, refusals::IDEMPOTENT, refusals::ANY];
}

#[OpenApi(tag = "Tag::Jobs")]
impl ResumeJobKind {
    /// Resume a kind of job
    ///
    /// For staff. The jobs that were laid aside are put back.
    #[oai(path = "/api/v1/job-kinds/:kind/resume", method = "post", operation_id = "resumeJobKind")]
    async fn call(
        &self,
        #[oai(scope = "needs::QUEUES_ADMIN")] caller: Caller,
        uri: &Uri,
        /// The kind.
        kind: Path<Text<1, 128>>,
        /// Makes the request safe to repeat: the same key gets the same answer.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<IdempotencyKey>>,
    ) -> Result<Done<JobKindView>, Failure<Self>> {
        let kind = catalogue::find(&kind.0).ok_or_else(Problem::not_found)?;
        let begun = deed::begin(&self.0, &caller, ("POST /api/v1/job-kinds/{kind}/resume", uri), key.0, None).await?;
        let mut doing = match begun {
            Submitted::Done(doing) => doing,
            Submitted::Replayed(kept) => return Ok(Done::kept(&kept)),
        };
        let shard = caller.0.book.shard;
        let _ = Control::new(doing.conn(), shard, deed::actor(&caller))?.resume_kind(kind.name).await?;
        let paused = inspect::paused_kinds(doing.conn(), shard).await?;
        Ok(deed::finish(&self.0, doing, &JobKindView::of(kind, &paused)).await?)
    }
}
