//! A field of a PATCH that may be taken away: absent, it stays; null, it goes (RFC 7396).

use std::borrow::Cow;

use poem_openapi::registry::{MetaSchemaRef, Registry};
use poem_openapi::types::Type;

use super::read::{FromJson, Reader};
use crate::json::Json;

/// What becomes of the field.
#[derive(Debug)]
pub(crate) enum Change<T> {
    /// It stays.
    Keep,
    /// It goes.
    Clear,
    /// It becomes this.
    Set(T),
}

impl<T> Change<T> {
    /// The new value of a field that is to change: none where it goes.
    pub(crate) fn map<U>(self, to: impl FnOnce(T) -> U) -> Option<Option<U>> {
        match self {
            Change::Keep => None,
            Change::Clear => Some(None),
            Change::Set(value) => Some(Some(to(value))),
        }
    }
}

impl<T: Type> Type for Change<T> {
    const IS_REQUIRED: bool = false;
    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        T::name()
    }

    fn schema_ref() -> MetaSchemaRef {
        T::schema_ref()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(std::iter::once(self))
    }
}

impl<T: FromJson> FromJson for Change<T> {
    fn from_json(json: Json<'_>, reader: &mut Reader) -> Option<Self> {
        match json {
            Json::Null => Some(Change::Clear),
            json => T::from_json(json, reader).map(Change::Set),
        }
    }

    fn absent(_reader: &mut Reader) -> Option<Self> {
        Some(Change::Keep)
    }
}
