//! Local times and the instants that they are, where clocks are put forward and back.

use chrono::{DateTime, FixedOffset, MappedLocalTime, NaiveDateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::{GapInfo, Tz};

/// Offsets are compared this far apart; no zone has changed twice within it.
const PROBE: TimeDelta = TimeDelta::hours(6);

/// The first instant after `after` of the local times that `next` yields, each of which happens once: one that is
/// skipped, at the end of the gap; one that comes twice, the first time.
pub(super) fn next_once(
    zone: Tz,
    after: DateTime<Utc>,
    next: impl Fn(NaiveDateTime) -> Option<NaiveDateTime>,
) -> Option<DateTime<Utc>> {
    let mut local = local_time(zone, after);
    // An earlier local time was at an earlier instant, so from here on is enough. Those of the second pass are over.
    loop {
        local = next(local)?;
        let instant = first_instant(zone, local)?;
        if instant > after {
            return Some(instant);
        }
    }
}

/// The first instant after `after` whose local time is one that `next` yields: none in a gap, and both times of two.
pub(super) fn next_each(
    zone: Tz,
    after: DateTime<Utc>,
    next: impl Fn(NaiveDateTime) -> Option<NaiveDateTime>,
) -> Option<DateTime<Utc>> {
    let mut from = after;
    let mut local = local_time(zone, from);
    loop {
        // As if the offset never changed; where it does, on from there under the new one.
        let instant = (next(local)? - offset(zone, from)).and_utc();
        let Some(change) = first_change(zone, from, instant) else { return Some(instant) };
        from = change;
        local = local_time(zone, change) - TimeDelta::seconds(1);
    }
}

fn offset(zone: Tz, at: DateTime<Utc>) -> FixedOffset {
    zone.offset_from_utc_datetime(&at.naive_utc()).fix()
}

fn local_time(zone: Tz, at: DateTime<Utc>) -> NaiveDateTime {
    at.with_timezone(&zone).naive_local()
}

/// The first instant at which the zone's clocks show this time, or one past it if they skip it.
fn first_instant(zone: Tz, local: NaiveDateTime) -> Option<DateTime<Utc>> {
    match zone.from_local_datetime(&local) {
        MappedLocalTime::Single(instant) => Some(instant.to_utc()),
        MappedLocalTime::Ambiguous(one, other) => Some(one.min(other).to_utc()),
        MappedLocalTime::None => GapInfo::new(&local, &zone)?.end.map(|end| end.to_utc()),
    }
}

/// The first whole second after `from`, and no later than `to`, at which the offset is not what it was at `from`.
fn first_change(zone: Tz, from: DateTime<Utc>, to: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let before = offset(zone, from);
    let mut low = from;
    while low < to {
        let high = to.min(low + PROBE);
        if offset(zone, high) != before {
            return Some(bisect(zone, low.timestamp(), high.timestamp()));
        }
        low = high;
    }
    None
}

/// Where between these two seconds, of which the second has another offset, it changes.
fn bisect(zone: Tz, mut low: i64, mut high: i64) -> DateTime<Utc> {
    let at = |second| DateTime::from_timestamp(second, 0).expect("it lies between two times");
    let before = offset(zone, at(low));
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        *(if offset(zone, at(middle)) == before { &mut low } else { &mut high }) = middle;
    }
    at(high)
}
