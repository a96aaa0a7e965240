//! Bounded arrays.

use std::borrow::Cow;

use poem_openapi::registry::{MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::types::Type;

use super::read::{FromJson, Reader};
use crate::json::Json;

/// An array of `MIN` to `MAX` items.
#[derive(Debug)]
pub(crate) struct List<T, const MIN: usize, const MAX: usize>(pub(crate) Vec<T>);

impl<T: Type, const MIN: usize, const MAX: usize> Type for List<T, MIN, MAX> {
    const IS_REQUIRED: bool = true;
    type RawValueType = Self;
    type RawElementValueType = T;

    fn name() -> Cow<'static, str> {
        format!("list_{}", T::name()).into()
    }

    fn schema_ref() -> MetaSchemaRef {
        let items = Some(Box::new(T::schema_ref()));
        let (min_items, max_items) = ((MIN > 0).then_some(MIN), Some(MAX));
        MetaSchemaRef::Inline(Box::new(MetaSchema { items, min_items, max_items, ..MetaSchema::new("array") }))
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a T> + 'a> {
        Box::new(self.0.iter())
    }
}

impl<T: FromJson, const MIN: usize, const MAX: usize> FromJson for List<T, MIN, MAX> {
    fn from_json(json: Json<'_>, reader: &mut Reader) -> Option<Self> {
        let items = match json {
            Json::Array(items) => items,
            other => return reader.wrong_type("an array", &other),
        };
        if items.len() < MIN {
            return reader.fail("too_few_items", format!("This needs at least {MIN} items."));
        }
        if items.len() > MAX {
            return reader
                .fail("too_many_items", format!("This has {} items; at most {MAX} are allowed.", items.len()));
        }
        let length = items.len();
        let read = |(index, item)| reader.in_item(index, |reader| T::from_json(item, reader));
        let values: Vec<T> = items.into_iter().enumerate().filter_map(read).collect();
        (values.len() == length).then_some(List(values))
    }
}
