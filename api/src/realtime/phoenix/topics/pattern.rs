//! Names of topics: a text, with `{id}` at its end or not.

use std::fmt;
use std::str::FromStr;

/// The topic of heartbeats.
const HEARTBEATS: &str = "phoenix";

const ID: &str = "{id}";

/// Matches one name, or all that begin alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::realtime::phoenix) struct Pattern {
    prefix: String,
    has_id: bool,
}

impl Pattern {
    /// Whether the name that the protocol has for itself is among those that it matches.
    pub(super) fn takes_phoenix(&self) -> bool {
        self.id_in(HEARTBEATS).is_some()
    }

    /// Whether it ends in `{id}`.
    pub(super) fn has_id(&self) -> bool {
        self.has_id
    }

    /// The id in a name that it matches; the empty text if it has none.
    pub(super) fn id_in<'t>(&self, name: &'t str) -> Option<&'t str> {
        let id = name.strip_prefix(&self.prefix)?;
        (self.has_id != id.is_empty()).then_some(id)
    }

    /// The name with this id.
    pub(super) fn with(&self, id: &str) -> String {
        if self.has_id { format!("{}{id}", self.prefix) } else { self.prefix.clone() }
    }

    /// Whether a name may match both.
    pub(super) fn overlaps(&self, other: &Pattern) -> bool {
        let reaches = |wide: &Pattern, narrow: &Pattern| wide.has_id && narrow.prefix.starts_with(&wide.prefix);
        self.prefix == other.prefix || reaches(self, other) || reaches(other, self)
    }
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Pattern, String> {
        let prefix = text.strip_suffix(ID);
        let pattern = Pattern { prefix: prefix.unwrap_or(text).to_owned(), has_id: prefix.is_some() };
        if pattern.prefix.is_empty() || pattern.prefix.contains(['{', '}']) {
            return Err(format!("{text}: a name is plain text, and may have {ID} at its end"));
        }
        Ok(pattern)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", self.prefix, if self.has_id { ID } else { "" })
    }
}
