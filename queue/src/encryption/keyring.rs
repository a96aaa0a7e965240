//! The keys that a process has.

use std::fmt;
use std::sync::Arc;

use super::key::{Key, KeyError};

/// The key that payloads are sealed with, and older ones that they may still be sealed with. Clones share the keys.
#[derive(Clone)]
pub struct Keyring(Arc<Vec<Key>>);

impl Keyring {
    /// A keyring of one key, with which payloads are sealed from now on.
    pub fn new(current: Key) -> Keyring {
        Keyring(Arc::new(vec![current]))
    }

    /// With a key that payloads were sealed with before, or will be: a new key is given to all workers like this first,
    /// and becomes the current one after that.
    ///
    /// # Errors
    /// [`KeyError::Repeated`] when the keyring has a key of this id.
    pub fn with(mut self, other: Key) -> Result<Keyring, KeyError> {
        if self.find(&other.id).is_some() {
            return Err(KeyError::Repeated(other.id));
        }
        Arc::make_mut(&mut self.0).push(other);
        Ok(self)
    }

    /// The key that payloads are sealed with.
    pub fn current(&self) -> &Key {
        &self.0[0]
    }

    pub(super) fn find(&self, id: &str) -> Option<&Key> {
        self.0.iter().find(|key| key.id == id)
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Keyring").field(&self.0).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_stands_for_one_key() {
        let key = |id: &str, text: &str| Key::from_text(id, &text.repeat(32)).unwrap();
        let keyring = Keyring::new(key("new", "ab")).with(key("old", "cd")).unwrap();
        assert_eq!(keyring.current().id(), "new");
        assert_eq!(keyring.find("old").unwrap().id(), "old");
        assert_eq!(format!("{keyring:?}"), r#"Keyring([Key("new"), Key("old")])"#);
        assert!(matches!(keyring.with(key("new", "ef")), Err(KeyError::Repeated(id)) if id == "new"));
    }
}
