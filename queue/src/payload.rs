//! Payloads on their way between the job's type and the table: sealed, opened, upgraded, parsed.

use std::borrow::Cow;
use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::encryption::{Binding, Keyring, OpenError, open, seal};
use crate::{BatchJob, BoxError, Job};

/// A payload that is about to be stored.
#[derive(Clone)]
pub(crate) enum NewPayload {
    Plain(String),
    /// To be sealed with the keyring's current key, once it is certain for which job.
    Secret(Zeroizing<String>, Keyring),
}

impl NewPayload {
    pub(crate) fn stored(&self, binding: Binding<'_>) -> Cow<'_, str> {
        match self {
            NewPayload::Plain(text) => Cow::Borrowed(text),
            NewPayload::Secret(text, keyring) => Cow::Owned(seal(keyring, binding, text)),
        }
    }
}

impl fmt::Debug for NewPayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NewPayload::Plain(text) => f.debug_tuple("Plain").field(text).finish(),
            NewPayload::Secret(_, keyring) => f.debug_tuple("Secret").field(keyring).finish(),
        }
    }
}

impl PartialEq for NewPayload {
    fn eq(&self, other: &NewPayload) -> bool {
        match (self, other) {
            (NewPayload::Plain(one), NewPayload::Plain(other)) => one == other,
            (NewPayload::Secret(one, _), NewPayload::Secret(other, _)) => one == other,
            _ => false,
        }
    }
}

impl Eq for NewPayload {}

/// A payload as it is stored.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stored<'a> {
    pub(crate) id: Uuid,
    pub(crate) version: i16,
    pub(crate) text: &'a str,
}

/// Why a payload is not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("the payload has version {found}, and this worker knows {known}")]
    NewerVersion { found: i16, known: i16 },
    #[error("the payload is sealed with the key {0:?}, which this worker does not have")]
    UnknownKey(String),
    #[error("{0}")]
    Undecodable(String),
}

impl Unreadable {
    /// What the metric calls a reason why another process may read it; none when nobody can.
    pub(crate) fn lack(&self) -> Option<&'static str> {
        match self {
            Unreadable::NewerVersion { .. } => Some("newer_version"),
            Unreadable::UnknownKey(_) => Some("unknown_key"),
            Unreadable::Undecodable(_) => None,
        }
    }
}

/// How payloads of one kind are read.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    kind: &'static str,
    version: i16,
    upgrade: fn(u16, Value) -> Result<Value, BoxError>,
    keyring: Option<&'a Keyring>,
}

impl<'a> Reader<'a> {
    pub(crate) fn of<J: Job>(keyring: Option<&'a Keyring>) -> Reader<'a> {
        Reader { kind: J::KIND, version: version(J::VERSION), upgrade: J::upgrade, keyring }
    }

    pub(crate) fn of_batch<J: BatchJob>(keyring: Option<&'a Keyring>) -> Reader<'a> {
        Reader { kind: J::KIND, version: version(J::VERSION), upgrade: J::upgrade, keyring }
    }

    pub(crate) fn read<T: DeserializeOwned>(&self, stored: Stored<'_>) -> Result<T, Unreadable> {
        // The version first: how a newer one is sealed is for those to know who know it.
        if stored.version > self.version {
            return Err(Unreadable::NewerVersion { found: stored.version, known: self.version });
        }
        let binding = Binding { id: stored.id, kind: self.kind, version: stored.version };
        match open(self.keyring, binding, stored.text) {
            None => self.parse(stored.version, stored.text, false),
            Some(Ok(opened)) => self.parse(stored.version, &opened, true),
            Some(Err(OpenError::UnknownKey(key))) => Err(Unreadable::UnknownKey(key)),
            Some(Err(OpenError::Refused(key))) => {
                let told = format!("the payload is not what the key {key:?} sealed for this job");
                Err(Unreadable::Undecodable(told))
            }
        }
    }

    fn parse<T: DeserializeOwned>(&self, version: i16, text: &str, is_secret: bool) -> Result<T, Unreadable> {
        let does_not_parse = |error: serde_json::Error| {
            // The error's text may quote the payload; its place and category do not.
            let told = match is_secret {
                false => error.to_string(),
                true => format!("{:?} error at line {} column {}", error.classify(), error.line(), error.column()),
            };
            Unreadable::Undecodable(format!("version {version} of the payload does not parse: {told}"))
        };
        if version == self.version {
            return serde_json::from_str(text).map_err(does_not_parse);
        }
        let value = serde_json::from_str(text).map_err(does_not_parse)?;
        let upgraded = (self.upgrade)(version.unsigned_abs(), value).map_err(|error| {
            let told =
                if is_secret { "its error is not kept, since the payload is sealed" } else { &*error.to_string() };
            Unreadable::Undecodable(format!("version {version} of the payload does not upgrade: {told}"))
        })?;
        serde_json::from_value(upgraded).map_err(does_not_parse)
    }
}

/// A version as the table keeps it; one that does not fit stops the build.
pub(crate) const fn version(version: u16) -> i16 {
    assert!(0 < version && version <= i16::MAX as u16, "versions are 1 to 32767");
    version as i16
}

/// What [`Job::upgrade`] answers unless the kind says otherwise.
pub(crate) fn no_upgrade(kind: &str, from: u16) -> Result<Value, BoxError> {
    Err(format!("{kind} does not say how to upgrade from version {from}").into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encryption::Key;

    const ID: Uuid = Uuid::from_u128(7);

    fn reader(keyring: Option<&Keyring>) -> Reader<'_> {
        // Version 1 was a bare number, 2 a number in an object.
        let upgrade = |from, value: Value| match from {
            1 if value.is_number() => Ok(serde_json::json!({ "number": value })),
            1 => Err(format!("{value} is no number").into()),
            _ => Ok(value),
        };
        Reader { kind: "demo.number", version: 3, upgrade, keyring }
    }

    #[derive(serde::Deserialize)]
    struct Number {
        number: u8,
    }

    fn read(keyring: Option<&Keyring>, version: i16, text: &str) -> Result<u8, String> {
        let read = reader(keyring).read(Stored { id: ID, version, text });
        read.map(|Number { number }| number).map_err(|error| error.to_string())
    }

    #[test]
    fn an_older_payload_is_upgraded_and_a_newer_one_is_not_touched() {
        for (version, text) in [(1, "5"), (2, r#"{"number":5}"#), (3, r#"{"number":5}"#)] {
            assert_eq!(read(None, version, text), Ok(5), "{version}");
        }
        let newer = reader(None).read::<Number>(Stored { id: ID, version: 4, text: "not even JSON" });
        assert_eq!(newer.err().and_then(|error| error.lack()), Some("newer_version"));
    }

    #[test]
    fn what_does_not_parse_is_told_with_its_version() {
        let table = [
            (
                3,
                r#"{"number":"x"}"#,
                "version 3 of the payload does not parse: invalid type: string \"x\", expected u8",
            ),
            (3, "{", "version 3 of the payload does not parse: EOF while parsing"),
            (1, "\"x\"", "version 1 of the payload does not upgrade: \"x\" is no number"),
            (1, "1000", "version 1 of the payload does not parse: invalid value: integer `1000`, expected u8"),
        ];
        for (version, text, told) in table {
            let error = read(None, version, text).unwrap_err();
            assert!(error.starts_with(told), "{error}");
        }
    }

    #[test]
    fn a_sealed_payload_is_not_quoted() {
        let keyring = Keyring::new(Key::from_text("k", &"ab".repeat(32)).unwrap());
        let read_sealed = |version, text: &str| {
            let binding = Binding { id: ID, kind: "demo.number", version };
            read(Some(&keyring), version, &seal(&keyring, binding, text))
        };
        assert_eq!(read_sealed(1, "5"), Ok(5));
        for (version, text) in [(3, r#"{"number":"hush"}"#), (1, "\"hush\""), (2, "\"hush\"")] {
            let error = read_sealed(version, text).unwrap_err();
            assert!(error.contains(&format!("version {version}")) && !error.contains("hush"), "{error}");
        }
    }

    #[test]
    fn nothing_shows_a_secret() {
        let keyring = Keyring::new(Key::from_text("k", &"ab".repeat(32)).unwrap());
        let secret = NewPayload::Secret(Zeroizing::new("hush".to_owned()), keyring);
        assert_eq!(format!("{secret:?}"), r#"Secret(Keyring([Key("k")]))"#);
        assert_eq!(secret, secret.clone());
    }
}
