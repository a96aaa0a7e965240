//! Webhooks, and what is delivered to them.

use chrono::{DateTime, Utc};
use domain::webhooks::attempts::Attempt;
use domain::webhooks::deliveries::Delivery;
use domain::webhooks::{Endpoint, Status};
use poem_openapi::Object;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::body::choice::{Choice, choice};

choice! {
    /// Whose events a webhook gets.
    pub(crate) enum WebhookScope {
        /// Those that concern its owner.
        Own = "own",
        /// Those of the whole book; for staff.
        Book = "book",
    }
}

choice! {
    /// Whether a webhook gets anything.
    pub(crate) enum WebhookStatus {
        /// Events are sent to it.
        Enabled = "enabled",
        /// Nothing is sent to it.
        Disabled = "disabled",
    }
}

choice! {
    /// Why a webhook is disabled.
    pub(crate) enum DisabledReason {
        /// Somebody disabled it.
        ByHand = "by_hand",
        /// It answered 410.
        Gone = "gone",
        /// It took nothing for five days.
        Failing = "failing",
    }
}

choice! {
    /// Where a delivery is.
    pub(crate) enum DeliveryStatus {
        /// It is being tried.
        Pending = "pending",
        /// The webhook took it.
        Delivered = "delivered",
        /// The webhook did not take it, and it is not tried any more.
        Failed = "failed",
        /// The webhook was disabled before it took it.
        Cancelled = "cancelled",
    }
}

impl DeliveryStatus {
    /// As the domain says it.
    pub(crate) fn status(self) -> Status {
        match self {
            DeliveryStatus::Pending => Status::Pending,
            DeliveryStatus::Delivered => Status::Delivered,
            DeliveryStatus::Failed => Status::Failed,
            DeliveryStatus::Cancelled => Status::Cancelled,
        }
    }
}

/// Where a user wants to be told of events.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "Webhook")]
pub(crate) struct WebhookView {
    /// Its identifier.
    pub id: Uuid,
    /// Whose it is.
    pub user_id: Uuid,
    /// Where deliveries are posted.
    pub url: String,
    /// What its owner calls it.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The kinds of event that are sent, such as `transaction.recorded` or `transaction.*`; empty: all.
    pub kinds: Vec<String>,
    /// Whose events are sent.
    pub scope: WebhookScope,
    /// Whether anything is sent.
    pub status: WebhookStatus,
    /// Why nothing is sent; absent: it is enabled.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled_reason: Option<DisabledReason>,
    /// Since when every attempt has failed; absent: the last one did not.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<DateTime<Utc>>,
    /// What deliveries are signed with: only in the answer to createWebhook and rotateWebhookSecret, this once.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Until when the secret before this one signs too; absent: it does not.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_secret_until: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

impl From<&Endpoint> for WebhookView {
    fn from(endpoint: &Endpoint) -> WebhookView {
        let is_enabled = endpoint.disabled_reason.is_none();
        WebhookView {
            id: endpoint.id,
            user_id: endpoint.owner.0,
            url: endpoint.url.clone(),
            description: endpoint.description.clone(),
            kinds: endpoint.kinds.clone(),
            scope: if endpoint.takes_book { WebhookScope::Book } else { WebhookScope::Own },
            status: if is_enabled { WebhookStatus::Enabled } else { WebhookStatus::Disabled },
            disabled_reason: endpoint.disabled_reason.as_deref().map(DisabledReason::named),
            failing_since: endpoint.failing_since,
            secret: None,
            old_secret_until: endpoint.old_secret_until,
            created_at: endpoint.created_at,
            updated_at: endpoint.updated_at,
        }
    }
}

/// One event on its way to one webhook.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "WebhookDelivery")]
pub(crate) struct DeliveryView {
    /// Its identifier.
    pub id: Uuid,
    /// Where it goes.
    pub webhook_id: Uuid,
    /// What is sent as `webhook-id`: the place of the event in the log, the same with each attempt.
    pub event_id: String,
    /// The kind of event.
    pub kind: String,
    /// Where it is.
    pub status: DeliveryStatus,
    /// The job that delivers it.
    pub job_id: Uuid,
    /// How often it was tried, replays included.
    pub attempts: i32,
    /// The HTTP status of the last answer; absent: there was none.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_status: Option<i16>,
    /// Why the last attempt failed; absent: it did not.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// When it is tried again; absent: at once, or never.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// When it was enqueued.
    pub created_at: DateTime<Utc>,
    /// When it was delivered, given up or cancelled; absent: it is pending.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<DateTime<Utc>>,
}

impl From<&Delivery> for DeliveryView {
    fn from(delivery: &Delivery) -> DeliveryView {
        DeliveryView {
            id: delivery.id,
            webhook_id: delivery.endpoint_id,
            event_id: delivery.event_id.clone(),
            kind: delivery.kind.clone(),
            status: DeliveryStatus::named(&delivery.status),
            job_id: delivery.job_id,
            attempts: delivery.attempts,
            last_status: delivery.last_status,
            last_error: delivery.last_error.clone(),
            next_attempt_at: delivery.next_attempt_at,
            created_at: delivery.created_at,
            ended_at: delivery.ended_at,
        }
    }
}

/// One attempt at a delivery.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "WebhookAttempt")]
pub(crate) struct AttemptView {
    /// Which attempt it was, from 1; replays count on.
    pub number: i32,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// How long it took, in milliseconds.
    pub duration_ms: i32,
    /// The HTTP status of the answer; absent: there was none.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<i16>,
    /// Why it failed; absent: it did not.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The first 4,096 bytes of the answer's body; absent: there was no answer.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response: Option<String>,
}

impl From<&Attempt> for AttemptView {
    fn from(attempt: &Attempt) -> AttemptView {
        AttemptView {
            number: attempt.number,
            started_at: attempt.started_at,
            duration_ms: attempt.duration_ms,
            status: attempt.status,
            error: attempt.error.clone(),
            response: attempt.response.clone(),
        }
    }
}

/// A delivery with what is posted and what came of it.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "WebhookDeliveryDetail")]
pub(crate) struct DeliveryDetailView {
    /// The delivery.
    pub delivery: DeliveryView,
    /// What is posted: `type`, `timestamp` and `data`.
    pub body: Value,
    /// The last hundred attempts at it, in their order.
    pub attempts: Vec<AttemptView>,
}

impl DeliveryDetailView {
    /// Of the delivery, what is posted and what came of it.
    pub(crate) fn of(delivery: &Delivery, body: &str, attempts: &[Attempt]) -> DeliveryDetailView {
        DeliveryDetailView {
            delivery: DeliveryView::from(delivery),
            body: serde_json::from_str(body).expect("the body was written by us"),
            attempts: attempts.iter().map(AttemptView::from).collect(),
        }
    }
}
