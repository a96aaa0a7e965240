//! The answer to asking for a delivery: it is on its way, and can be looked at.

use domain::webhooks::deliveries::Delivery;
use jobs::submitted::Submitted;
use poem_openapi::ApiResponse;
use serde_json::Value;

use crate::reply::Reply;
use crate::views::webhook::DeliveryView;

/// After so many seconds it is worth looking at the delivery.
const LOOK_AFTER: u32 = 1;

/// The answer that shows the delivery.
#[derive(ApiResponse)]
pub(crate) enum Started {
    /// A job makes the delivery; look at it at `Location`.
    #[oai(status = 202)]
    Delivery(
        Reply<DeliveryView>,
        /// The delivery.
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

/// What is kept of the answer for its repetition: all of it.
pub(crate) fn keep(delivery: &Delivery) -> Option<Value> {
    serde_json::to_value(DeliveryView::from(delivery)).ok()
}

impl Started {
    /// Shows the delivery that was started, now or by an earlier request of the same key.
    pub(crate) fn by(submitted: &Submitted<Delivery>) -> Started {
        let location = |id: &str| format!("/api/v1/webhook-deliveries/{id}");
        match submitted {
            Submitted::Done(delivery) => {
                let (reply, at) = (Reply::of(&DeliveryView::from(delivery)), location(&delivery.id.to_string()));
                Started::Delivery(reply, at, LOOK_AFTER, None)
            }
            Submitted::Replayed(kept) => {
                let at = location(kept["id"].as_str().unwrap_or_default());
                Started::Delivery(Reply::kept(kept), at, LOOK_AFTER, Some(true))
            }
        }
    }
}
