//! Percentiles of durations.

use std::time::Duration;

/// Durations, to be asked for their percentiles.
#[derive(Debug, Default)]
pub(crate) struct Durations(Vec<Duration>);

impl Durations {
    /// Adds one.
    pub(crate) fn add(&mut self, duration: Duration) {
        self.0.push(duration);
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// Adds all of another.
    pub(crate) fn merge(&mut self, mut other: Durations) {
        self.0.append(&mut other.0);
    }

    /// The smallest that at least `percent` of 100 are not above, in milliseconds; 0 if there are none.
    pub(crate) fn percentile_ms(&mut self, percent: usize) -> f64 {
        if self.0.is_empty() {
            return 0.0;
        }
        let rank = (self.0.len() * percent).div_ceil(100).max(1) - 1;
        let (_, value, _) = self.0.select_nth_unstable(rank);
        value.as_secs_f64() * 1_000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let mut durations = Durations::default();
        assert_eq!(durations.percentile_ms(50), 0.0);
        (1..=100).rev().for_each(|ms| durations.add(Duration::from_millis(ms)));
        assert_eq!([1, 50, 99, 100].map(|percent| durations.percentile_ms(percent)), [1.0, 50.0, 99.0, 100.0]);
    }
}
