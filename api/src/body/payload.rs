//! The payload of a job: any object, which the schema of its kind then judges.

use poem_openapi::registry::MetaSchema;
use poem_openapi::types::Type;
use serde_json::{Map, Value};

use super::read::{FromJson, Reader};
use crate::json::Json;

/// An object of whatever members.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Payload(pub(crate) Value);

impl Type for Payload {
    const IS_REQUIRED: bool = true;
    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> std::borrow::Cow<'static, str> {
        "Payload".into()
    }

    fn schema_ref() -> poem_openapi::registry::MetaSchemaRef {
        poem_openapi::registry::MetaSchemaRef::Inline(Box::new(MetaSchema::new("object")))
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(std::iter::once(self))
    }
}

impl FromJson for Payload {
    fn from_json(json: Json<'_>, reader: &mut Reader) -> Option<Payload> {
        match json {
            Json::Object(_) => value(json, reader).map(Payload),
            other => reader.wrong_type("an object", &other),
        }
    }
}

/// The same as a tree. Members that are given twice are refused, and so are numbers that no job takes.
fn value(json: Json<'_>, reader: &mut Reader) -> Option<Value> {
    match json {
        Json::Null => Some(Value::Null),
        Json::Bool(value) => Some(value.into()),
        Json::Integer(number) => {
            let number = i64::try_from(number).map(Value::from).or_else(|_| u64::try_from(number).map(Value::from));
            number.ok().or_else(|| reader.fail("out_of_range", "This number is too large."))
        }
        Json::Number => reader.fail("wrong_type", "No kind of job takes a number with a fraction or an exponent."),
        Json::String(text) if text.contains('\0') => reader.fail("control_character", "This contains U+0000."),
        Json::String(text) => Some(text.into_owned().into()),
        Json::Array(items) => {
            let length = items.len();
            let read = |(index, item)| reader.in_item(index, |reader| value(item, reader));
            let values: Vec<Value> = items.into_iter().enumerate().filter_map(read).collect();
            (values.len() == length).then_some(Value::Array(values))
        }
        Json::Object(members) => {
            let (length, mut object) = (members.len(), Map::new());
            for (name, member) in members {
                let name = name.into_owned();
                let is_new = !object.contains_key(&name);
                let member = reader.in_field(name.clone(), |reader| match is_new {
                    true => value(member, reader),
                    false => reader.fail("duplicate_field", "This field is given more than once."),
                });
                object.extend(member.map(|member| (name, member)));
            }
            (object.len() == length).then_some(Value::Object(object))
        }
    }
}
