//! The id of an event, as its follower got it.

use domain::events::Position;
use poem_openapi::registry::MetaSchema;

use super::scalar::{Refused, string_scalar};

/// Where an event stands in the log: two numbers with a hyphen between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EventId(pub(crate) Position);

string_scalar!([] EventId);

impl EventId {
    fn schema() -> MetaSchema {
        let pattern = Some("^[0-9]{1,19}-[0-9]{1,10}$".to_owned());
        MetaSchema { pattern, example: Some("1842-17".into()), ..MetaSchema::new("string") }
    }

    fn parse(text: &str) -> Result<EventId, Refused> {
        let refused = |_| ("invalid_event_id", "This must be the id of an event, such as 1842-17.".to_owned());
        text.parse().map(EventId).map_err(refused)
    }
}
