//! Webhooks: where users want to be told of events, what is delivered there, and each attempt at it.
//!
//! What is sent is what [Standard Webhooks](https://www.standardwebhooks.com) says: `webhook-id` is the event's id, the same with each
//! attempt; the body is `{"type", "timestamp", "data"}`; secrets are `whsec_` and base64. An endpoint gets the events of its owner; one of
//! staff may take those of the whole book. docs/WEBHOOKS.md has the schedule and what disables an endpoint.

pub mod attempts;
pub mod deliveries;
pub mod dispatch;
pub mod endpoints;
pub mod kinds;
pub mod outgoing;
pub mod reach;
pub mod replay;
pub mod secret;
pub mod sweep;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::ids::UserId;

/// How many endpoints a user may have.
pub const ENDPOINTS_MAX: i64 = 20;

/// How many days deliveries are kept.
pub const DELIVERY_DAYS: u16 = 30;

/// The kind of event that a test sends.
pub const TEST_KIND: &str = "webhook.test";

/// Where a user wants to be told of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// What it is called in addresses.
    pub id: Uuid,
    /// Whose it is.
    pub owner: UserId,
    /// Where deliveries are posted.
    pub url: String,
    /// What its owner calls it.
    pub description: Option<String>,
    /// The kinds of event that are sent, such as `transaction.*`; empty: all.
    pub kinds: Vec<String>,
    /// Whether it gets the events of the whole book.
    pub takes_book: bool,
    /// Why nothing is sent; none: it is enabled.
    pub disabled_reason: Option<String>,
    /// Until when the secret before the last rotation signs too.
    pub old_secret_until: Option<DateTime<Utc>>,
    /// Since when every attempt has failed.
    pub failing_since: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// Where a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It is being tried.
    Pending,
    /// The endpoint took it.
    Delivered,
    /// The endpoint did not take it, and it is not tried any more.
    Failed,
    /// The endpoint was disabled before it took it.
    Cancelled,
}

impl Status {
    /// Every status.
    pub const ALL: [Status; 4] = [Status::Pending, Status::Delivered, Status::Failed, Status::Cancelled];

    /// Its stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Status::Pending => "pending",
            Status::Delivered => "delivered",
            Status::Failed => "failed",
            Status::Cancelled => "cancelled",
        }
    }
}
