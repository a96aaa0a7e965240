//! Yes or no.

use poem_openapi::registry::MetaSchema;

use super::read::{FromJson, Reader};
use super::scalar::{Refused, scalar};
use crate::json::Json;

/// A boolean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flag(pub(crate) bool);

scalar!([] Flag);

impl Flag {
    fn schema() -> MetaSchema {
        MetaSchema::new("boolean")
    }

    fn parse(text: &str) -> Result<Flag, Refused> {
        text.parse().map(Flag).map_err(|_| ("wrong_type", "This must be true or false.".to_owned()))
    }
}

impl FromJson for Flag {
    fn from_json(json: Json<'_>, reader: &mut Reader) -> Option<Flag> {
        match json {
            Json::Bool(value) => Some(Flag(value)),
            other => reader.wrong_type("true or false", &other),
        }
    }
}
