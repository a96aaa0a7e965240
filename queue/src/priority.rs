//! Which of the ready jobs of a queue runs first.

/// A rank from 0 to 99: the smaller runs first; equal ones run in the order in which they came due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(i16);

impl Priority {
    /// Before everything else.
    pub const URGENT: Priority = Priority(0);
    /// Before ordinary work.
    pub const HIGH: Priority = Priority(25);
    /// Ordinary work.
    pub const NORMAL: Priority = Priority(50);
    /// When nothing else waits.
    pub const LOW: Priority = Priority(75);

    /// The priority of this rank; none if it is over 99.
    pub const fn new(rank: u8) -> Option<Priority> {
        if rank <= 99 { Some(Priority(rank as i16)) } else { None }
    }

    /// The rank, 0 to 99.
    pub const fn rank(self) -> i16 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::Priority;

    #[test]
    fn a_rank_is_0_to_99() {
        assert_eq!(Priority::new(0), Some(Priority::URGENT));
        assert_eq!(Priority::new(99).map(Priority::rank), Some(99));
        assert_eq!(Priority::new(100), None);
    }
}
