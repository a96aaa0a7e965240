//! `choice!`: a field that is one of a few words.

/// Declares an enum of words with its schema and reader.
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
        }

        $crate::body::scalar::string_scalar!([] $name);
    };
}

pub(crate) use choice;
