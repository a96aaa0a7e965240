//! Decides what becomes of the ticks that are due: which make jobs, which are missed, which is next. Pure.

use std::collections::VecDeque;
use std::ops::Range;

use chrono::{DateTime, TimeDelta, Utc};

use super::{CatchUp, Overlap};

/// With [`CatchUp::None`], a tick that is fired later than this is missed.
pub(super) const GRACE: TimeDelta = TimeDelta::seconds(60);

/// What is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Due {
    /// The ticks to fire, the oldest first.
    pub(super) ticks: Vec<DateTime<Utc>>,
    /// The oldest and the newest of those that are left out; they are all older than `ticks`.
    pub(super) missed: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// The next tick, later than now.
    pub(super) next_at: Option<DateTime<Utc>>,
}

/// What is due of a schedule whose next tick was `next_at`, which is not later than `now`.
pub(super) fn due(
    next_after: impl Fn(DateTime<Utc>) -> Option<DateTime<Utc>>,
    next_at: DateTime<Utc>,
    now: DateTime<Utc>,
    catch_up: CatchUp,
) -> Due {
    let max = usize::from(catch_up.max());
    // One more than can be fired, which is the newest of the others.
    let newest = newest(&next_after, next_at, now, max + 1);
    let last = *newest.last().expect("the next tick is not later than now");
    let is_late = |tick: &DateTime<Utc>| catch_up == CatchUp::None && now - *tick >= GRACE;
    let left_out = if is_late(&last) { newest.len() } else { newest.len().saturating_sub(max) };
    let ticks = newest[left_out..].to_vec();
    let missed = left_out.checked_sub(1).map(|place| (next_at, newest[place]));
    Due { ticks, missed, next_at: next_after(last) }
}

/// The newest `max` ticks that are due, the oldest first. It looks back in growing steps, so that a year of outage
/// costs no more than the ticks it is asked for.
fn newest(
    next_after: &impl Fn(DateTime<Utc>) -> Option<DateTime<Utc>>,
    oldest: DateTime<Utc>,
    now: DateTime<Utc>,
    max: usize,
) -> Vec<DateTime<Utc>> {
    let mut look_back = TimeDelta::minutes(1);
    loop {
        let is_all = now - look_back < oldest;
        let mut tick = if is_all { Some(oldest) } else { next_after(now - look_back) };
        let mut found = VecDeque::new();
        while let Some(due) = tick.filter(|tick| *tick <= now) {
            found.push_back(due);
            if found.len() > max {
                found.pop_front();
            }
            tick = next_after(due);
        }
        if is_all || found.len() == max {
            return found.into();
        }
        look_back = look_back * 4;
    }
}

/// Where a schedule's last job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Previous {
    /// It has ended, or there was none.
    Gone,
    /// It waits for a worker, its time, or another attempt.
    Waiting,
    Running,
}

/// Which of so many due ticks make a job; the others are skipped.
pub(super) fn admit(overlap: Overlap, previous: Previous, ticks: usize) -> Range<usize> {
    match (overlap, previous) {
        (Overlap::Allow, _) => 0..ticks,
        // The first one's job is live when the next one comes.
        (Overlap::Skip, Previous::Gone) => 0..ticks.min(1),
        (Overlap::Skip, _) => 0..0,
        // Each would replace the one before.
        (Overlap::Replace, _) => ticks.saturating_sub(1)..ticks,
    }
}
