//! Delivers one event to one endpoint, by Standard Webhooks.
//!
//! An attempt is written down in the commit that is fenced by the job's claim: on success the one that settles the job, on failure a step
//! of its own. A process that dies in between makes the attempt again, under the same `webhook-id`. What an endpoint did not take in ten
//! attempts is no dead letter, which somebody here would have to look at: it is a failed delivery, which its owner replays.

use std::time::Duration;

use domain::events;
use domain::webhooks::outgoing::{self, Outgoing, Tried};
use hyper::header::{HeaderName, HeaderValue};
use queue::{BoxError, Job, JobContext, JobError, NewJob, Retry};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::Instant;
use uuid::Uuid;

use crate::webhooks::client::{Answer, SendError};
use crate::webhooks::{ENDPOINT_LIMIT, SCHEDULE, metrics, sign};

/// Posts one delivery, unless it has ended.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, example = DeliverWebhook { shard: 0, delivery_id: Uuid::nil() })]
pub struct DeliverWebhook {
    /// Where the delivery lives.
    shard: i16,
    /// The delivery.
    delivery_id: Uuid,
}

/// The status by which an endpoint says that it is gone for good.
const GONE: u16 = 410;
/// Those by which it says when to come back.
const BUSY: [u16; 2] = [429, 503];
/// A time to come back that is later than this is not kept.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 3_600);

/// The job that makes this delivery to this endpoint, under the id that the delivery names.
pub(crate) fn of(shard: i16, delivery_id: Uuid, endpoint: Uuid, job: Uuid) -> NewJob {
    let new = NewJob::of(&DeliverWebhook { shard, delivery_id }).expect("the payload is plain data");
    new.shard(shard).id(job).limit(ENDPOINT_LIMIT, endpoint.to_string())
}

impl Job for DeliverWebhook {
    const KIND: &'static str = "webhooks.deliver";
    const QUEUE: &'static str = crate::WEBHOOKS_QUEUE;
    /// Its own failures, such as of the database; those of endpoints follow the standard's schedule.
    const RETRY: Retry = Retry::exponential(Duration::from_secs(5)).max_attempts(SCHEDULE.len() as u32 + 1);

    async fn run(self, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
        let mut conn = ctx.pool().acquire().await?;
        let outgoing = outgoing::load(&mut conn, self.shard, self.delivery_id, ctx.id()).await?;
        drop(conn);
        let Some(outgoing) = outgoing else {
            return Err(JobError::discard("the delivery, or its endpoint, has gone"));
        };
        if !outgoing.is_wanted {
            return Ok(());
        }
        if !outgoing.is_open {
            outgoing::cancel(ctx.tx().await?, &outgoing).await?;
            return ctx.set_result(&json!({ "cancelled": true }));
        }
        let (tried, is_gone) = attempt(ctx, &outgoing).await;
        metrics::tried(&tried);
        outgoing::record(ctx.tx().await?, &outgoing, &tried).await?;
        if is_gone {
            outgoing::disable(ctx.tx().await?, &outgoing, "gone").await?;
        }
        if tried.error.is_some() {
            // It may have disabled the endpoint, which is an event.
            ctx.tell(events::CHANNEL);
        }
        end(ctx, tried).await
    }
}

/// Posts it once; what came of it, and whether the endpoint is gone.
async fn attempt(ctx: &JobContext<'_>, outgoing: &Outgoing) -> (Tried, bool) {
    let timestamp = outgoing.now.timestamp();
    let signature = sign::signature(&outgoing.secrets, &outgoing.event_id, timestamp, &outgoing.body);
    let header = |name, value: String| {
        (HeaderName::from_static(name), HeaderValue::try_from(value).expect("ids, numbers and base64 are ASCII"))
    };
    let headers = [
        header("webhook-id", outgoing.event_id.clone()),
        header("webhook-timestamp", timestamp.to_string()),
        header("webhook-signature", signature),
    ];
    let client = ctx.state::<crate::State>().webhooks().clone();
    let began = Instant::now();
    let answer = client.post(&outgoing.url, &headers, outgoing.body.clone()).await;
    let (error, is_gone) = judge(&answer);
    let again_in = match error.is_some() && !is_gone && !ctx.is_last_attempt() {
        true => Some(delay(ctx.attempt(), &answer, outgoing.id)),
        false => None,
    };
    let answer = answer.ok();
    let status = answer.as_ref().map(|answer| answer.status);
    let response = answer.map(|answer| answer.body);
    (Tried { took: began.elapsed(), status, error, response, again_in }, is_gone)
}

/// Why it was not taken, and whether the endpoint is gone.
fn judge(answer: &Result<Answer, SendError>) -> (Option<String>, bool) {
    match answer {
        Ok(answer) if (200..300).contains(&answer.status) => (None, false),
        Ok(answer) if answer.status == GONE => (Some("the endpoint is gone (410)".to_owned()), true),
        Ok(answer) if (300..400).contains(&answer.status) => {
            (Some(format!("the endpoint redirects ({}), which is not followed", answer.status)), false)
        }
        Ok(answer) => (Some(format!("the endpoint answered {}", answer.status)), false),
        Err(error) => (Some(error.to_string()), false),
    }
}

/// How long until the next attempt: the schedule's delay, up to a tenth longer, or as long as the endpoint asks for if that is longer.
fn delay(attempt: u32, answer: &Result<Answer, SendError>, delivery: Uuid) -> Duration {
    let place = usize::try_from(attempt.saturating_sub(1)).unwrap_or(usize::MAX).min(SCHEDULE.len() - 1);
    // Deliveries that failed together come back apart; the end of the id is a hash.
    let share = f64::from(delivery.as_bytes()[15]) / 255.0;
    let scheduled = SCHEDULE[place].mul_f64(1.0 + share / 10.0);
    let asked = answer.as_ref().ok().filter(|answer| BUSY.contains(&answer.status));
    let asked = asked.and_then(|answer| answer.retry_after).unwrap_or_default();
    scheduled.max(asked.min(RETRY_AFTER_MAX))
}

/// Settles the job as the attempt says.
async fn end(ctx: &mut JobContext<'_>, tried: Tried) -> Result<(), JobError> {
    let Some(error) = tried.error else {
        return ctx.set_result(&json!({ "status": tried.status }));
    };
    // What is known of the attempt stays, though the job's own transaction is not the one that ends it.
    ctx.commit_step(&ctx.attempt()).await?;
    let error = BoxError::from(error);
    Err(match tried.again_in {
        Some(delay) => JobError::RetryAfter(error, delay),
        None => JobError::Discard(error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, retry_after: Option<u64>) -> Result<Answer, SendError> {
        Ok(Answer { status, retry_after: retry_after.map(Duration::from_secs), body: String::new() })
    }

    #[test]
    fn only_a_success_is_one() {
        for (status, taken, gone) in [
            (200, true, false),
            (204, true, false),
            (299, true, false),
            (301, false, false),
            (410, false, true),
            (500, false, false),
        ] {
            let (error, is_gone) = judge(&answer(status, None));
            assert_eq!((error.is_none(), is_gone), (taken, gone), "{status}");
        }
        assert!(judge(&Err(SendError::Timeout)).0.is_some());
    }

    #[test]
    fn the_schedule_is_the_standards_unless_the_endpoint_asks_for_more() {
        let (first, last) = (Uuid::nil(), Uuid::max());
        for (attempt, seconds) in [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400].iter().enumerate() {
            let attempt = u32::try_from(attempt).unwrap() + 1;
            assert_eq!(delay(attempt, &answer(500, None), first), Duration::from_secs(*seconds));
            assert_eq!(delay(attempt, &answer(500, None), last), Duration::from_secs(*seconds).mul_f64(1.1));
        }
        let asked = |status, after| delay(1, &answer(status, Some(after)), first).as_secs();
        assert_eq!([asked(503, 60), asked(429, 1), asked(500, 60), asked(503, u64::MAX)], [60, 5, 5, 86_400]);
    }
}
