//! `choice!`: a value that is one of a few words, in a body, as a parameter or in an answer.

/// Declares an enum of words with its schema, its reader and its writer.
macro_rules! choice {
    (
        $(#[doc = $about:literal])+
        $vis:vis enum $name:ident { $($(#[doc = $doc:literal])+ $variant:ident = $word:literal),+ $(,)? }
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        $vis enum $name { $($(#[doc = $doc])+ $variant),+ }

        impl $name {
            fn schema() -> poem_openapi::registry::MetaSchema {
                let enum_items = vec![$($word.into()),+];
                poem_openapi::registry::MetaSchema { enum_items, ..poem_openapi::registry::MetaSchema::new("string") }
            }

            fn parse(word: &str) -> Result<Self, $crate::body::scalar::Refused> {
                match word {
                    $($word => Ok($name::$variant),)+
                    _ => Err(("unknown_value", format!("This must be one of {}.", [$($word),+].join(", ")))),
                }
            }

            /// The word.
            $vis fn word(self) -> &'static str {
                match self { $($name::$variant => $word),+ }
            }
        }

        $crate::body::scalar::string_scalar!([] $name);

        impl $crate::body::choice::Choice for $name {
            fn of_word(word: &str) -> Option<Self> {
                Self::parse(word).ok()
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.word())
            }
        }

        impl poem_openapi::types::ToJSON for $name {
            fn to_json(&self) -> Option<serde_json::Value> {
                Some(self.word().into())
            }
        }

        impl poem_openapi::types::ParseFromJSON for $name {
            fn parse_from_json(value: Option<serde_json::Value>) -> poem_openapi::types::ParseResult<Self> {
                let word = value.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default();
                Self::parse(word).map_err(|(_code, detail)| poem_openapi::types::ParseError::custom(detail))
            }
        }
    };
}

pub(crate) use choice;

/// A value that is one of a few words.
pub(crate) trait Choice: Sized {
    /// The value of this word.
    fn of_word(word: &str) -> Option<Self>;

    /// The value that the domain calls by this word.
    fn named(word: &str) -> Self {
        Self::of_word(word).unwrap_or_else(|| unreachable!("{word} is missing among the words of the API"))
    }
}
