//! How often, and after how long, a failed job is tried again.

use std::time::Duration;

use crate::Random;

/// A retry policy: the delay doubles with each attempt up to a limit, with jitter, until the attempts are used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    first: Duration,
    longest: Duration,
    max_attempts: u16,
}

/// A delay is at most this share longer or shorter than computed, so that jobs that failed together come back apart.
const JITTER: f64 = 0.1;

impl Retry {
    /// 1 s, 2 s, 4 s … up to an hour, 20 attempts: about nine hours in all.
    pub const DEFAULT: Retry = Retry::exponential(Duration::from_secs(1));

    /// Doubles from this delay after the first attempt, up to an hour; 20 attempts.
    pub const fn exponential(first: Duration) -> Retry {
        Retry { first, longest: Duration::from_secs(3_600), max_attempts: 20 }
    }

    /// With this many attempts in all.
    ///
    /// # Panics
    /// When it is 0 or over 32,767; in a constant, that is an error at compile time.
    pub const fn max_attempts(mut self, attempts: u32) -> Retry {
        assert!(0 < attempts && attempts <= i16::MAX as u32, "attempts are 1 to 32767");
        self.max_attempts = attempts as u16;
        self
    }

    /// With no delay longer than this (before jitter).
    pub const fn longest(mut self, longest: Duration) -> Retry {
        self.longest = longest;
        self
    }

    /// How many attempts there are in all.
    pub const fn attempts(&self) -> u16 {
        self.max_attempts
    }

    /// The delay after the given failed attempt, counted from 1.
    pub fn delay(&self, attempt: u16, random: &mut Random) -> Duration {
        let doublings = i32::from(attempt.saturating_sub(1)).min(62);
        let computed = (self.first.as_secs_f64() * 2f64.powi(doublings)).min(self.longest.as_secs_f64());
        Duration::from_secs_f64(computed * (1.0 - JITTER + 2.0 * JITTER * random.next_unit()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_longest_within_their_jitter() {
        let retry = Retry::exponential(Duration::from_secs(1)).longest(Duration::from_secs(60));
        let mut random = Random::seeded(1);
        let table = [(1, 1.0), (2, 2.0), (3, 4.0), (6, 32.0), (7, 60.0), (30, 60.0), (u16::MAX, 60.0)];
        for (attempt, expected) in table {
            for _ in 0..100 {
                let delay = retry.delay(attempt, &mut random).as_secs_f64();
                let bounds = expected * (1.0 - JITTER)..=expected * (1.0 + JITTER);
                assert!(bounds.contains(&delay), "attempt {attempt}: {delay}");
            }
        }
    }

    #[test]
    fn jitter_spreads_jobs_that_failed_together() {
        let mut random = Random::seeded(2);
        let delays: Vec<_> = (0..100).map(|_| Retry::DEFAULT.delay(5, &mut random)).collect();
        let (least, most) = (delays.iter().min().unwrap(), delays.iter().max().unwrap());
        assert!(most.as_secs_f64() - least.as_secs_f64() > 2.0, "{least:?} to {most:?}");
    }
}
