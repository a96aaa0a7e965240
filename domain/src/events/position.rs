//! Where an event stands in the log.

use std::fmt;
use std::str::FromStr;

/// An event's place: the number of its commit, and which of that commit's events it is. It is the same for every follower, for ever, and
/// orders events as they were committed. As text, `1842-17`: what clients hand back as `Last-Event-ID`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The number of the commit, from 1 and without gaps.
    pub seq: i64,
    /// Its place within the commit, from 1.
    pub event: i32,
}

impl Position {
    /// Before everything.
    pub const START: Position = Position { seq: 0, event: 0 };

    /// After the last event of that commit.
    pub fn end_of(seq: i64) -> Position {
        Position { seq, event: i32::MAX }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.seq, self.event)
    }
}

/// A text that is no position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event's id is two numbers with a hyphen between, such as 1842-17")]
pub struct WrongPosition;

impl FromStr for Position {
    type Err = WrongPosition;

    fn from_str(text: &str) -> Result<Position, WrongPosition> {
        // As many digits as the largest has; what is larger yet comes after everything as well.
        let number = |digits: &str, digits_max: usize| -> Option<u64> {
            let is_number = digits.len() <= digits_max && digits.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| digits.parse().ok()).flatten()
        };
        let (seq, event) = text.split_once('-').ok_or(WrongPosition)?;
        let (seq, event) = number(seq, 19).zip(number(event, 10)).ok_or(WrongPosition)?;
        let (seq, event) = (seq.try_into().unwrap_or(i64::MAX), event.try_into().unwrap_or(i32::MAX));
        Ok(Position { seq, event })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_written_as_it_is_read() {
        let position = Position { seq: 1_842, event: 17 };
        assert_eq!(position.to_string().parse(), Ok(position));
        for wrong in
            ["", "-", "1", "1-", "-1", "1-2-3", "+1-2", "1- 2", "1-99999999999", "99999999999999999999-1", "a-b"]
        {
            assert_eq!(wrong.parse::<Position>(), Err(WrongPosition), "{wrong}");
        }
        assert_eq!("1-9999999999".parse(), Ok(Position::end_of(1)));
        assert_eq!("9999999999999999999-1".parse(), Ok(Position { seq: i64::MAX, event: 1 }));
        assert!(position < Position::end_of(1_842) && Position::end_of(1_842) < Position { seq: 1_843, event: 1 });
    }
}
