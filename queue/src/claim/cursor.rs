//! Where in a queue the next claim looks.
//!
//! A claimed job stays in the index of ready jobs until it has ended, and leaves an entry behind, which vacuum takes
//! away, unless an old snapshot somewhere keeps it from doing so: each claim that looks from the beginning walks over all
//! of them. So a claim goes on where the last one ended, in each priority. What lies before that (jobs of a transaction
//! that committed late, jobs handed back) is found by looking from the beginning again: always, as long as that is
//! quick, and otherwise as often as takes a twentieth of the time. A process that begins meanwhile goes on where the others
//! have got to ([`Start`]).
//!
//! Priorities are strict, so that work of a low one would never begin while there is enough of a higher one. Against
//! that, one claim in [`AGED_EVERY`] first takes what has been due for longer than [`AGE`], the lowest priority first. That
//! goes on where claims of each priority have got to, too.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};

use super::Claimed;
use super::start::Start;

/// What a claim takes by itself, and for each job that it brings. A look from the beginning that takes no longer may be
/// followed by another at once.
const QUICK: Duration = Duration::from_millis(2);
const QUICK_EACH: Duration = Duration::from_micros(8);
/// How many times as long as it took beyond that to wait before the next one.
const PAUSE_FACTOR: u32 = 20;
/// A shorter pause is not worth telling others of.
const PAUSE_TOLD: Duration = Duration::from_millis(500);
/// One claim in so many first takes what has waited for long.
pub(crate) const AGED_EVERY: u32 = 16;
/// How long a job has been due before its age counts.
const AGE: TimeDelta = TimeDelta::seconds(60);
/// The last priority there is.
const PRIORITY_LAST: i16 = 99;

/// A part of the order of ready jobs: after this priority and time, up to and with the last ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) after_priority: i16,
    pub(crate) after_time: DateTime<Utc>,
    pub(crate) last_priority: i16,
    pub(crate) last_time: DateTime<Utc>,
}

/// Where the claims of one queue have got to.
#[derive(Debug, Default)]
pub(crate) struct Cursor {
    /// Of each priority, when the last claimed job was due.
    reached: BTreeMap<i16, DateTime<Utc>>,
    /// When looking from the beginning is worth it again; none for at any time.
    next_whole: Option<Instant>,
    /// How many claims there have been since one looked for what has waited for long.
    claims: u32,
}

impl Cursor {
    /// What the next claim should look through, in this order; whether that is everything. `db_now` is about what time it
    /// is in the database, once that is known.
    pub(crate) fn ranges(&mut self, now: Instant, db_now: Option<DateTime<Utc>>) -> (Vec<Range>, bool) {
        let is_whole = self.next_whole.is_none_or(|next| now >= next);
        let mut ranges = self.aged(db_now, is_whole);
        if is_whole {
            ranges.push(whole());
            return (ranges, true);
        }
        let mut first = 0;
        for (priority, time) in &self.reached {
            ranges.extend(from(first, *priority - 1));
            ranges.push(Range { after_time: *time, ..whole_of(*priority, *priority) });
            first = priority + 1;
        }
        ranges.extend(from(first, PRIORITY_LAST));
        (ranges, false)
    }

    /// What has waited for long, if it is its turn.
    fn aged(&mut self, db_now: Option<DateTime<Utc>>, is_whole: bool) -> Vec<Range> {
        self.claims += 1;
        let Some(db_now) = db_now.filter(|_| self.claims >= AGED_EVERY) else { return Vec::new() };
        self.claims = 0;
        let last_time = db_now - AGE;
        let reached = |priority| self.reached.get(&priority).copied().filter(|_| !is_whole).unwrap_or_else(beginning);
        let aged = |priority| Range { after_time: reached(priority), last_time, ..whole_of(priority, priority) };
        (1..=PRIORITY_LAST).rev().map(aged).filter(|range| range.after_time < last_time).collect()
    }

    /// When the next look from the beginning is due, if that is not now.
    pub(crate) fn whole_due(&self) -> Option<Instant> {
        self.next_whole
    }

    /// Takes note of what a claim brought, and how long it took if it looked through everything; returns what others should
    /// know of that.
    pub(crate) fn claimed<'a>(
        &mut self,
        jobs: impl Iterator<Item = &'a Claimed>,
        whole: Option<(Instant, Duration)>,
    ) -> Option<Start> {
        let (mut jobs, mut number) = (jobs.peekable(), 0);
        // A look that brought nothing leaves them: a slow one went past all of them, or was held up by somebody's lock, and is
        // repeated when its pause is over; a quick one is followed by another from the beginning anyway.
        if whole.is_some() && jobs.peek().is_some() {
            self.reached.clear();
        }
        for job in jobs {
            let reached = self.reached.entry(job.priority).or_insert(job.run_at);
            *reached = (*reached).max(job.run_at);
            number += 1;
        }
        let (ended, took) = whole?;
        let pause = took.saturating_sub(QUICK + QUICK_EACH * number) * PAUSE_FACTOR;
        self.next_whole = (!pause.is_zero()).then(|| ended + pause);
        let is_told = pause >= PAUSE_TOLD && !self.reached.is_empty();
        is_told.then(|| Start { reached: self.reached.clone(), pause })
    }

    /// Goes on where another process has got to.
    pub(crate) fn go_on(&mut self, start: Start, now: Instant) {
        self.reached = start.reached;
        self.next_whole = Some(now + start.pause);
    }

    /// Forgets everything: what was claimed may have come back.
    pub(crate) fn reset(&mut self) {
        *self = Cursor::default();
    }
}

fn whole() -> Range {
    whole_of(0, PRIORITY_LAST)
}

/// Everything of these priorities.
fn whole_of(first: i16, last: i16) -> Range {
    Range { after_priority: first, after_time: beginning(), last_priority: last, last_time: end() }
}

/// Everything of these priorities, if there are any.
fn from(first: i16, last: i16) -> Option<Range> {
    (first <= last).then(|| whole_of(first, last))
}

/// Before the first time that PostgreSQL has for a job.
pub(super) fn beginning() -> DateTime<Utc> {
    let day = NaiveDate::from_ymd_opt(-4712, 1, 1).expect("4713 BC, as astronomers count");
    day.and_time(NaiveTime::MIN).and_utc()
}

/// After the last time that PostgreSQL has for a job.
fn end() -> DateTime<Utc> {
    let day = NaiveDate::from_ymd_opt(262_000, 1, 1).expect("not the last year that there is a name for");
    day.and_time(NaiveTime::MIN).and_utc()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settle::Holding;
    use uuid::Uuid;

    fn job(priority: i16, second: i64) -> Claimed {
        Claimed {
            holding: Holding { id: Uuid::nil(), epoch: 1, owner: Uuid::nil(), claimed_at: DateTime::UNIX_EPOCH },
            ctid: String::new(),
            queue: String::new(),
            kind: String::new(),
            priority,
            run_at: DateTime::from_timestamp(second, 0).unwrap(),
            attempt: 1,
            max_attempts: 1,
            crashes: 0,
            waited_s: 0.0,
            actor: None,
            trace: None,
            cancelled_by: None,
            is_expired: false,
            version: 1,
            payload: String::new(),
        }
    }

    fn priorities(ranges: &[Range]) -> Vec<(i16, i16)> {
        ranges.iter().map(|range| (range.after_priority, range.last_priority)).collect()
    }

    #[test]
    fn quick_looks_are_all_from_the_beginning() {
        let (mut cursor, now) = (Cursor::default(), Instant::now());
        cursor.claimed([job(50, 7)].iter(), Some((now, QUICK)));
        assert_eq!(cursor.ranges(now, None), (vec![whole()], true));
    }

    #[test]
    fn one_claim_in_sixteen_begins_with_what_has_waited_for_long() {
        let (mut cursor, now, db_now) = (Cursor::default(), Instant::now(), DateTime::UNIX_EPOCH);
        let mut looks = (0..2 * AGED_EVERY).map(|_| cursor.ranges(now, Some(db_now)).0);
        let aged: Vec<_> = looks.by_ref().filter(|ranges| ranges.len() > 1).collect();
        assert_eq!(aged.len(), 2);
        assert_eq!(priorities(&aged[0][..2]), [(99, 99), (98, 98)]);
        assert_eq!((aged[0][0].last_time, aged[0].last()), (db_now - AGE, Some(&whole())));
    }

    #[test]
    fn after_a_slow_look_what_has_waited_for_long_is_not_looked_for_from_the_beginning() {
        let (mut cursor, now) = (Cursor::default(), Instant::now());
        let slow = QUICK + 2 * QUICK_EACH + Duration::from_millis(100);
        let db_now = DateTime::from_timestamp(100, 0).unwrap();
        let last_time = db_now - AGE;
        for (reached, expected) in [(7, Some(job(50, 7).run_at)), (40, None)] {
            cursor.claimed([job(50, reached), job(99, 3)].iter(), Some((now, slow)));
            let looks = (0..AGED_EVERY).map(|_| cursor.ranges(now, Some(db_now)).0).max_by_key(Vec::len).unwrap();
            let aged: Vec<_> = looks.iter().filter(|range| range.last_time == last_time).collect();
            assert_eq!(aged.iter().find(|range| range.last_priority == 50).map(|range| range.after_time), expected);
            let of_another = aged.iter().find(|range| range.last_priority == 49).map(|range| range.after_time);
            assert_eq!(of_another, Some(beginning()));
        }
    }

    #[test]
    fn after_a_slow_look_the_next_ones_go_on_in_each_priority() {
        let (mut cursor, now) = (Cursor::default(), Instant::now());
        let slow = QUICK + 3 * QUICK_EACH + Duration::from_millis(100);
        cursor.claimed([job(0, 9), job(50, 7), job(50, 8)].iter(), Some((now, slow)));
        let (ranges, is_whole) = cursor.ranges(now + Duration::from_secs(1), None);
        assert!(!is_whole);
        assert_eq!(priorities(&ranges), [(0, 0), (1, 49), (50, 50), (51, 99)]);
        assert_eq!(ranges[2].after_time, job(50, 8).run_at);
        cursor.claimed([job(99, 1)].iter(), None);
        assert_eq!(priorities(&cursor.ranges(now, None).0), [(0, 0), (1, 49), (50, 50), (51, 98), (99, 99)]);
        assert_eq!(cursor.ranges(now + Duration::from_secs(4), None), (vec![whole()], true));
    }

    #[test]
    fn what_a_slow_look_found_is_told_and_another_process_goes_on_there() {
        let (mut cursor, now) = (Cursor::default(), Instant::now());
        let slow = QUICK + QUICK_EACH + Duration::from_millis(100);
        let start = cursor.claimed([job(50, 7)].iter(), Some((now, slow))).unwrap();
        assert_eq!(start.pause, Duration::from_secs(2));
        let mut other = Cursor::default();
        other.go_on(start, now);
        assert_eq!(other.ranges(now, None), cursor.ranges(now, None));
        assert!(!other.ranges(now + Duration::from_millis(1_999), None).1);
        assert_eq!(other.ranges(now + Duration::from_secs(2), None), (vec![whole()], true));
        let again = cursor.claimed([].iter(), Some((now, slow))).unwrap();
        assert_eq!(again.reached, [(50, job(50, 7).run_at)].into());
        let hardly_slow = Some((now, QUICK + Duration::from_millis(24)));
        assert_eq!(cursor.claimed([].iter(), hardly_slow), None);
        assert_eq!(Cursor::default().claimed([].iter(), Some((now, slow))), None, "it has got nowhere");
    }
}
