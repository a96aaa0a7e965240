//! A field of a PATCH that may be set, removed by null, or left alone by leaving it out (RFC 7396).

use std::borrow::Cow;

use poem_openapi::registry::{MetaSchemaRef, Registry};
use poem_openapi::types::Type;

use super::read::{FromJson, Reader};
use crate::json::Json;

/// What becomes of the field.
#[derive(Debug, Clone)]
pub(crate) struct Change<T>(pub(crate) domain::accounts::Change<T>);

impl<T> Change<T> {
    /// The same of what is inside.
    pub(crate) fn map<U>(self, with: impl FnOnce(T) -> U) -> domain::accounts::Change<U> {
        match self.0 {
            domain::accounts::Change::Keep => domain::accounts::Change::Keep,
            domain::accounts::Change::Clear => domain::accounts::Change::Clear,
            domain::accounts::Change::Set(value) => domain::accounts::Change::Set(with(value)),
        }
    }
}

impl<T: Type> Type for Change<T> {
    const IS_REQUIRED: bool = false;
    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        format!("change_{}", T::name()).into()
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
            Json::Null => Some(Change(domain::accounts::Change::Clear)),
            json => T::from_json(json, reader).map(|value| Change(domain::accounts::Change::Set(value))),
        }
    }

    fn absent(_reader: &mut Reader) -> Option<Self> {
        Some(Change(domain::accounts::Change::Keep))
    }
}
