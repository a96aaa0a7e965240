//! `object!`: a struct that is at once a request body, its schema and its reader, so that the three cannot disagree.

/// Declares a request object.
///
/// ```text
/// object! {
///     /// What it is.
///     pub(crate) struct NewThing {
///         /// What the field is.
///         pub name: Text<1, 200>,
///         /// Under another name in JSON.
///         pub kind as "type": Kind,
///     }
///     example { "name": "a thing", "type": "plain" }
/// }
/// ```
macro_rules! object {
    (
        $(#[doc = $about:literal])+
        $vis:vis struct $name:ident {
            $($(#[doc = $doc:literal])+ $field_vis:vis $field:ident $(as $json:literal)? : $type:ty),+ $(,)?
        }
        example $example:tt
    ) => {
        $(#[doc = $about])+
        #[derive(Debug)]
        $vis struct $name { $($(#[doc = $doc])+ $field_vis $field: $type),+ }

        impl $crate::body::read::FromJson for $name {
            fn from_json(json: $crate::json::Json<'_>, reader: &mut $crate::body::read::Reader) -> Option<Self> {
                let mut members = $crate::body::read::Members::of(json, reader)?;
                $(let $field = members.take($crate::body::object::name!($field $($json)?), reader);)+
                members.finish(&[$($crate::body::object::name!($field $($json)?)),+], reader);
                Some($name { $($field: $field?),+ })
            }
        }

        impl poem_openapi::types::Type for $name {
            const IS_REQUIRED: bool = true;
            type RawValueType = Self;
            type RawElementValueType = Self;

            fn name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn schema_ref() -> poem_openapi::registry::MetaSchemaRef {
                poem_openapi::registry::MetaSchemaRef::Reference(stringify!($name).to_owned())
            }

            fn register(registry: &mut poem_openapi::registry::Registry) {
                registry.create_schema::<Self, _>(stringify!($name).to_owned(), |registry| {
                    $(<$type as poem_openapi::types::Type>::register(registry);)+
                    let mut schema = poem_openapi::registry::MetaSchema::new("object");
                    schema.description = Some(concat!($($about, "\n"),+).trim());
                    schema.example = Some(serde_json::json!($example));
                    $($crate::body::object::describe::<$type>(
                        &mut schema,
                        $crate::body::object::name!($field $($json)?),
                        concat!($($doc, "\n"),+).trim(),
                    );)+
                    schema
                });
            }

            fn as_raw_value(&self) -> Option<&Self> {
                Some(self)
            }

            fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
                Box::new(std::iter::once(self))
            }
        }
    };
}

/// The name of a field in JSON.
macro_rules! name {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $json:literal) => {
        $json
    };
}

pub(crate) use {name, object};

use poem_openapi::registry::MetaSchema;
use poem_openapi::types::Type;

/// Adds a field to the schema of an object.
pub(crate) fn describe<T: Type>(schema: &mut MetaSchema, name: &'static str, about: &'static str) {
    let field = MetaSchema { description: Some(about), ..MetaSchema::ANY };
    schema.properties.push((name, T::schema_ref().merge(field)));
    if T::IS_REQUIRED {
        schema.required.push(name);
    }
}
