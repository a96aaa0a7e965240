//! `scalar!`: the schema half of a type that is one JSON string or number, and its use as a parameter.

/// Implements poem-openapi's `Type` and `ParseFromParameter` for a type that has `const fn`-like `schema()` and `parse(&str)`.
///
/// `parse` returns the value or `(code, detail)`: one rule for the body and for parameters.
macro_rules! scalar {
    ([$($generics:tt)*] $type:ty) => {
        impl<$($generics)*> poem_openapi::types::Type for $type {
            const IS_REQUIRED: bool = true;
            type RawValueType = Self;
            type RawElementValueType = Self;

            fn name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn schema_ref() -> poem_openapi::registry::MetaSchemaRef {
                poem_openapi::registry::MetaSchemaRef::Inline(Box::new(Self::schema()))
            }

            fn as_raw_value(&self) -> Option<&Self> {
                Some(self)
            }

            fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
                Box::new(std::iter::once(self))
            }
        }

        impl<$($generics)*> poem_openapi::types::ParseFromParameter for $type {
            fn parse_from_parameter(value: &str) -> poem_openapi::types::ParseResult<Self> {
                Self::parse(value).map_err(|(_code, detail)| poem_openapi::types::ParseError::custom(detail))
            }
        }
    };
}

/// Implements `FromJson` for a scalar that is a JSON string.
macro_rules! string_scalar {
    ([$($generics:tt)*] $type:ty) => {
        $crate::body::scalar::scalar!([$($generics)*] $type);

        impl<$($generics)*> $crate::body::read::FromJson for $type {
            fn from_json(json: $crate::json::Json<'_>, reader: &mut $crate::body::read::Reader) -> Option<Self> {
                match json {
                    $crate::json::Json::String(text) => {
                        Self::parse(&text).map_err(|(code, detail)| reader.fail::<()>(code, detail)).ok()
                    }
                    other => reader.wrong_type("a string", &other),
                }
            }
        }
    };
}

pub(crate) use {scalar, string_scalar};

/// Why a text is not the scalar: the rule's stable code, and a sentence.
pub(crate) type Refused = (&'static str, String);
