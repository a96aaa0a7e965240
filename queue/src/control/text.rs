//! Which texts an operator may give. All of them go to the database as parameters; this keeps the tables readable.

use super::{ControlError, TextFault};

/// The longest name of an actor, in bytes.
pub(super) const ACTOR_BYTES_MAX: usize = 256;
/// The longest name of a queue, a kind or a limit.
const NAME_BYTES_MAX: usize = 128;
/// The longest key of a limit, or tag.
pub(super) const WORD_BYTES_MAX: usize = 1_024;

/// Free text: not empty, not too long, without control characters.
pub(super) fn check(field: &'static str, text: &str, bytes_max: usize) -> Result<(), ControlError> {
    let fault = if text.is_empty() {
        Some(TextFault::Empty)
    } else if text.len() > bytes_max {
        Some(TextFault::TooLong { bytes: text.len(), bytes_max })
    } else {
        text.chars().find(|one| one.is_control()).map(TextFault::Character)
    };
    fault.map_or(Ok(()), |fault| Err(ControlError::Text { field, fault }))
}

/// The name of a queue, a kind or a limit: letters, digits and `_ - . : /`.
pub(super) fn check_name(field: &'static str, name: &str) -> Result<(), ControlError> {
    check(field, name, NAME_BYTES_MAX)?;
    let is_fit = |one: &char| one.is_alphanumeric() || "_-.:/".contains(*one);
    match name.chars().find(|one| !is_fit(one)) {
        Some(one) => Err(ControlError::Text { field, fault: TextFault::Character(one) }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_has_its_name() {
        let long = "x".repeat(NAME_BYTES_MAX + 1);
        let table = [
            ("", Some(TextFault::Empty)),
            ("a\0b", Some(TextFault::Character('\0'))),
            ("a'; drop table queue.job; --", Some(TextFault::Character('\''))),
            ("a b", Some(TextFault::Character(' '))),
            ("a%", Some(TextFault::Character('%'))),
            (long.as_str(), Some(TextFault::TooLong { bytes: 129, bytes_max: 128 })),
            ("ledger.record_transaction", None),
            ("größe-1:a/b", None),
        ];
        for (name, expected) in table {
            let fault = match check_name("queue", name) {
                Err(ControlError::Text { field: "queue", fault }) => Some(fault),
                answer => answer.map(|()| None).expect("no other refusal"),
            };
            assert_eq!(fault, expected, "{name:?}");
        }
        assert!(check("tag", "any text; 'even' this", WORD_BYTES_MAX).is_ok());
    }
}
