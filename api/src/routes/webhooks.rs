//! Webhooks: where users want to be told of events, and what was delivered there.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod deliveries;
pub(crate) mod delivery;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod replay;
pub(crate) mod replay_delivery;
pub(crate) mod secret;
pub(crate) mod shown_once;
pub(crate) mod started;
pub(crate) mod test;
pub(crate) mod update;

use crate::body::list::List;
use crate::body::text::Text;

/// Kinds of event, as a body names them.
pub(crate) type Kinds = List<Text<1, 64>, 0, 50>;

/// What a body names, as the domain takes it.
pub(crate) fn kinds(List(kinds): Kinds) -> Vec<String> {
    kinds.into_iter().map(Text::into_inner).collect()
}
