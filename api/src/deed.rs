//! What operators do to jobs, queues and schedules: one transaction with its row of the audit, an answer that is kept for a repetition of
//! the request, and workers that hear of it.

use jobs::submitted::{Doing, Submitted};
use poem::http::Uri;
use poem_openapi::ApiResponse;
use poem_openapi::types::Type;
use queue::control;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::auth::Caller;
use crate::idempotency::{IdempotencyKey, repeatable};
use crate::problem::Problem;
use crate::reply::Reply;
use crate::state::State;

/// The answer that shows what something has become.
#[derive(ApiResponse)]
pub(crate) enum Done<T: Type> {
    /// It is done; this is how things are now.
    #[oai(status = 200)]
    Done(
        Reply<T>,
        /// `true` when this answers an earlier request of the same key.
        #[oai(header = "Idempotency-Replayed")]
        Option<bool>,
    ),
}

impl<T: Type + Serialize> Done<T> {
    /// The answer of an earlier request.
    pub(crate) fn kept(answer: &Value) -> Done<T> {
        Done::Done(Reply::kept(answer), Some(true))
    }
}

/// Begins what the request at `uri` asks for, or tells what an earlier one of the same key was answered.
pub(crate) async fn begin<'a>(
    state: &State,
    caller: &'a Caller,
    (route, uri): (&'static str, &Uri),
    key: Option<IdempotencyKey>,
    body: Option<[u8; 32]>,
) -> Result<Submitted<Doing<'a>>, Problem> {
    // The path says what it is done to, so it is as much of the request as the body.
    let mut hash = Sha256::new();
    hash.update(uri.path());
    hash.update(body.unwrap_or_default());
    let repeatable = repeatable(key, route, hash.finalize().into(), |kept: &Value| Some(kept.clone()));
    Ok(Doing::begin(&state.pool, &caller.0, repeatable).await?)
}

/// Commits, and tells the workers.
pub(crate) async fn finish<T: Type + Serialize>(state: &State, doing: Doing<'_>, view: &T) -> Result<Done<T>, Problem> {
    let answer = serde_json::to_value(view).expect("a view has string keys and no failing serializer");
    doing.finish(&answer).await?;
    wake(state).await;
    Ok(Done::Done(Reply::of(view), None))
}

/// Tells the workers to hear what operators have said; without it they hear within a second.
pub(crate) async fn wake(state: &State) {
    let woken = async { control::wake(&mut *state.pool.acquire().await?).await };
    if let Err(error) = woken.await {
        tracing::warn!(%error, "workers were not told at once; they hear with their next heartbeat");
    }
}

/// How the audit of the queue names the caller.
pub(crate) fn actor(caller: &Caller) -> String {
    caller.0.user_id.to_string()
}
