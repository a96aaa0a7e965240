//! When a dead child is started again, and when the supervisor gives up.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The numbers behind restarts.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The wait before the first restart in a row; it doubles with each further one.
    pub backoff_base: Duration,
    /// The longest wait before a restart.
    pub backoff_cap: Duration,
    /// A child that lived this long is healthy: its next death is a first one again.
    pub healthy_after: Duration,
    /// A child that died sooner than this died early.
    pub early: Duration,
    /// How many early deaths in a row one child may have.
    pub early_deaths_max: u32,
    /// How many restarts all children together may have within `window`.
    pub restarts_max: usize,
    /// The span of time that `restarts_max` counts over.
    pub window: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            backoff_base: Duration::from_millis(100),
            backoff_cap: Duration::from_secs(30),
            healthy_after: Duration::from_secs(10),
            early: Duration::from_secs(5),
            early_deaths_max: 10,
            restarts_max: 30,
            window: Duration::from_secs(60),
        }
    }
}

/// What follows a death.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Start it again after this long.
    Restart(Duration),
    /// Something is wrong that restarts do not mend.
    GiveUp,
}

/// The deaths in a row of one child.
///
/// The window alone is not enough: once the waits between restarts are long, it never fills, and a child that cannot
/// start would be tried for ever.
#[derive(Debug, Default)]
pub struct Streak {
    restarts: u32,
    early_deaths: u32,
}

impl Streak {
    /// Counts a death after `uptime` and says what follows from this child's own record.
    pub fn died(&mut self, policy: &Policy, uptime: Duration) -> Verdict {
        if uptime >= policy.healthy_after {
            self.restarts = 0;
        }
        self.early_deaths = if uptime < policy.early { self.early_deaths + 1 } else { 0 };
        if self.early_deaths > policy.early_deaths_max {
            return Verdict::GiveUp;
        }
        let factor = 1_u32 << self.restarts.min(16);
        self.restarts += 1;
        Verdict::Restart(policy.backoff_base.saturating_mul(factor).min(policy.backoff_cap))
    }
}

/// The restarts of all children within the last span of time.
#[derive(Debug)]
pub struct Window {
    restarts_max: usize,
    span: Duration,
    restarts: VecDeque<Instant>,
}

impl Window {
    /// An empty window.
    pub fn new(policy: &Policy) -> Window {
        Window { restarts_max: policy.restarts_max, span: policy.window, restarts: VecDeque::new() }
    }

    /// Counts a restart at `now`; false when that is one too many.
    pub fn admit(&mut self, now: Instant) -> bool {
        while self.restarts.front().is_some_and(|first| now.duration_since(*first) > self.span) {
            self.restarts.pop_front();
        }
        self.restarts.push_back(now);
        self.restarts.len() <= self.restarts_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_up_to_its_cap_and_resets_after_health() {
        let (policy, mut streak) = (Policy { early_deaths_max: 100, ..Policy::default() }, Streak::default());
        let mut wait = |uptime| match streak.died(&policy, Duration::from_secs(uptime)) {
            Verdict::Restart(wait) => wait.as_millis(),
            Verdict::GiveUp => panic!("gave up"),
        };
        let waits: Vec<_> = (0..10).map(|_| wait(1)).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000]);
        assert_eq!(wait(11), 100);
    }

    #[test]
    fn a_child_that_cannot_start_is_given_up() {
        let (policy, mut streak) = (Policy::default(), Streak::default());
        let verdicts: Vec<_> = (0..11).map(|_| streak.died(&policy, Duration::from_millis(10))).collect();
        assert!(verdicts[..10].iter().all(|verdict| matches!(verdict, Verdict::Restart(_))));
        assert_eq!(verdicts[10], Verdict::GiveUp);
    }

    #[test]
    fn one_long_life_ends_a_row_of_early_deaths() {
        let (policy, mut streak) = (Policy { early_deaths_max: 1, ..Policy::default() }, Streak::default());
        for uptime in [1, 6, 1, 6, 1] {
            assert_ne!(streak.died(&policy, Duration::from_secs(uptime)), Verdict::GiveUp);
        }
        assert_eq!(streak.died(&policy, Duration::from_secs(1)), Verdict::GiveUp);
    }

    #[test]
    fn the_window_counts_only_what_is_recent() {
        let policy = Policy { restarts_max: 2, window: Duration::from_secs(10), ..Policy::default() };
        let (mut window, start) = (Window::new(&policy), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(window.admit(at(0)) && window.admit(at(1)));
        assert!(!window.admit(at(2)));
        assert!(window.admit(at(12)));
    }
}
