//! Notices when the database's clock is put forward or back, by the process's own monotonic one.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};

/// How far the two clocks may drift apart between two looks.
const DRIFT_MAX: TimeDelta = TimeDelta::seconds(1);

/// What happened to the database's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Jump {
    /// It was put forward, or ran on while the machine stood still, suspended: the leases that have run out by then are of
    /// processes that may well live, and have had no time to renew them.
    Ahead,
    /// It was put back: what happens from now on seems to happen before what has happened already.
    Back,
}

/// What the database's clock said last.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    last: Option<Look>,
}

/// It was asked at `sent`, said `now`, and that was heard at `heard`.
#[derive(Debug, Clone, Copy)]
struct Look {
    sent: Instant,
    now: DateTime<Utc>,
    heard: Instant,
}

impl Clock {
    /// Whether much more or less time has passed for the database than for us since it was asked last. It was asked at
    /// `sent`, said `now`, and that was heard at `heard`.
    pub(crate) fn look(&mut self, sent: Instant, now: DateTime<Utc>, heard: Instant) -> Option<Jump> {
        let last = self.last.replace(Look { sent, now, heard })?;
        let (least, most) = (delta(sent.saturating_duration_since(last.heard)), delta(heard.duration_since(last.sent)));
        let passed = now - last.now;
        if passed - DRIFT_MAX > most {
            Some(Jump::Ahead)
        } else if passed + DRIFT_MAX < least {
            Some(Jump::Back)
        } else {
            None
        }
    }
}

/// A time between two looks, which are a heartbeat apart, or an outage.
fn delta(passed: Duration) -> TimeDelta {
    TimeDelta::from_std(passed).expect("a process does not live for as long as that")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_has_jumped_when_more_or_less_time_has_passed_by_it_than_by_ours() {
        let (mut clock, began, first) = (Clock::default(), Instant::now(), DateTime::UNIX_EPOCH);
        let mut look = |sent_ms, now_ms, heard_ms| {
            let ours = |ms| began + Duration::from_millis(ms);
            clock.look(ours(sent_ms), first + TimeDelta::milliseconds(now_ms), ours(heard_ms))
        };
        assert_eq!(look(0, 500_000, 1), None, "there is nothing to compare it with");
        assert_eq!(look(1_000, 502_000, 1_001), None, "it may be a second ahead");
        assert_eq!(look(2_000, 504_100, 2_001), Some(Jump::Ahead));
        assert_eq!(look(3_000, 505_100, 3_001), None, "once it has, it goes on");
        assert_eq!(look(9_000, 515_000, 12_000), None, "an answer may take long");
        assert_eq!(look(12_500, 515_000, 12_501), None, "or may have taken long");
        assert_eq!(look(13_500, 515_000, 13_501), None, "it may be a second behind");
        assert_eq!(look(14_500, 514_900, 14_501), Some(Jump::Back));
        assert_eq!(look(15_500, 515_900, 15_501), None);
    }
}
