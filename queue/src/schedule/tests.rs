//! Schedules against a virtual clock, and against an oracle that looks at every minute of a year.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike, NaiveDateTime, TimeDelta, Timelike, Utc};
use chrono_tz::Tz;
use proptest::prelude::*;

use super::plan::{Due, GRACE, Previous, admit, due};
use super::spec::{Spec, SpecError, parse_zone};
use super::{CatchUp, Overlap};

fn utc(text: &str) -> DateTime<Utc> {
    let parsed = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S");
    parsed.or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M")).unwrap().and_utc()
}

/// The local times, with their offsets, of the ticks between two local times that are clear of any change.
fn ticks(spec: &str, zone: &str, from: &str, to: &str) -> Vec<String> {
    let (spec, zone): (Spec, Tz) = (spec.parse().unwrap(), parse_zone(zone).unwrap());
    let at = |text| utc(text).naive_utc().and_local_timezone(zone).unwrap().to_utc();
    let next = |tick: &DateTime<Utc>| spec.next_after(zone, *tick);
    let all = std::iter::successors(spec.next_after(zone, at(from) - TimeDelta::seconds(1)), next);
    let local = |tick: DateTime<Utc>| tick.with_timezone(&zone).format("%d %H:%M %:z").to_string();
    all.take_while(|tick| *tick < at(to)).map(local).collect()
}

#[test]
fn a_skipped_local_time_ticks_at_the_end_of_the_gap() {
    // London skips 01:00 to 02:00, New York 02:00 to 03:00, Lord Howe 02:00 to 02:30, Samoa all of 30 December.
    let spring = |spec| ticks(spec, "Europe/London", "2026-03-29 00:00", "2026-03-30 00:00");
    assert_eq!(spring("30 1 * * *"), ["29 02:00 +01:00"]);
    assert_eq!(spring("*/20 1 * * *"), ["29 02:00 +01:00"], "three at once are one");
    assert_eq!(spring("30 1,2 * * *"), ["29 02:00 +01:00", "29 02:30 +01:00"]);
    assert_eq!(ticks("0 2 * * *", "America/New_York", "2026-03-08 00:00", "2026-03-09 00:00"), ["08 03:00 -04:00"]);
    assert_eq!(ticks("15 2 * * *", "Australia/Lord_Howe", "2026-10-04 00:00", "2026-10-05 00:00"), ["04 02:30 +11:00"]);
    let samoa = |spec| ticks(spec, "Pacific/Apia", "2011-12-29 00:00", "2012-01-01 00:00");
    assert_eq!(samoa("0 9 * * *"), ["29 09:00 -10:00", "31 00:00 +14:00", "31 09:00 +14:00"]);
    assert_eq!(samoa("0 0 * * *"), ["29 00:00 -10:00", "31 00:00 +14:00"]);
}

#[test]
fn a_doubled_local_time_ticks_the_first_time() {
    let autumn = |spec| ticks(spec, "Europe/London", "2026-10-25 00:00", "2026-10-26 00:00");
    assert_eq!(autumn("30 1 * * *"), ["25 01:30 +01:00"]);
    assert_eq!(autumn("0,30 1 * * *"), ["25 01:00 +01:00", "25 01:30 +01:00"]);
    assert_eq!(ticks("30 1 * * *", "America/New_York", "2026-11-01 00:00", "2026-11-02 00:00"), ["01 01:30 -04:00"]);
    assert_eq!(ticks("45 1 * * *", "Australia/Lord_Howe", "2026-04-05 00:00", "2026-04-06 00:00"), ["05 01:45 +11:00"]);
}

#[test]
fn a_spec_of_every_hour_keeps_the_pace_of_time() {
    assert_eq!(
        ticks("0 * * * *", "Europe/London", "2026-03-29 00:00", "2026-03-29 04:00"),
        ["29 00:00 +00:00", "29 02:00 +01:00", "29 03:00 +01:00"]
    );
    assert_eq!(
        ticks("30 * * * *", "America/New_York", "2026-11-01 00:00", "2026-11-01 03:00"),
        ["01 00:30 -04:00", "01 01:30 -04:00", "01 01:30 -05:00", "01 02:30 -05:00"]
    );
    assert_eq!(
        ticks("*/15 * * * *", "Australia/Lord_Howe", "2026-04-05 01:15", "2026-04-05 02:15"),
        [
            "05 01:15 +11:00",
            "05 01:30 +11:00",
            "05 01:45 +11:00",
            "05 01:30 +10:30",
            "05 01:45 +10:30",
            "05 02:00 +10:30"
        ]
    );
    assert_eq!(
        ticks("0 * * * *", "Australia/Lord_Howe", "2026-10-04 01:00", "2026-10-04 04:00"),
        ["04 01:00 +10:30", "04 03:00 +11:00"]
    );
    assert_eq!(ticks("@every 20m", "Europe/London", "2026-03-29 00:00", "2026-03-29 03:00").len(), 6, "two hours");
}

#[test]
fn days_are_those_of_unix() {
    let week = |spec| ticks(spec, "UTC", "2026-11-01 00:00", "2026-11-08 00:00"); // The first is a Sunday.
    let days = |days: &[u8]| days.iter().map(|day| format!("{day:02} 09:00 +00:00")).collect::<Vec<_>>();
    assert_eq!(week("0 9 * * 1"), days(&[2]));
    assert_eq!(week("0 9 * * 0"), days(&[1]));
    assert_eq!(week("0 9 * * 7"), days(&[1]));
    assert_eq!(week("0 9 * * 1-5"), days(&[2, 3, 4, 5, 6]));
    assert_eq!(week("0 9 * * 5-7"), days(&[1, 6, 7]));
    assert_eq!(week("0 9 * * 1-5/2"), days(&[2, 4, 6]));
    assert_eq!(week("0 9 * * Mon,Wed-Thu"), days(&[2, 4, 5]));
    assert_eq!(week("0 9 4 * 1"), days(&[2, 4]), "either, when both are restricted");
    assert_eq!(week("0 9 ? * 1"), days(&[2]));
    assert_eq!(ticks("30 0 9 * * 1", "UTC", "2026-11-01 00:00", "2026-11-08 00:00"), days(&[2]), "seconds first");
    assert_eq!(week("@weekly"), ["01 00:00 +00:00"]);
}

#[test]
fn what_makes_no_spec_is_refused_by_name() {
    let field = |field, value: &'static str| move |error: &SpecError| matches!(error, SpecError::Field { field: f, value: v, .. } if *f == field && v == value);
    type Check = Box<dyn Fn(&SpecError) -> bool>;
    let table: Vec<(&str, Check)> = vec![
        ("", Box::new(|error| *error == SpecError::FieldCount(0))),
        ("* * * *", Box::new(|error| *error == SpecError::FieldCount(4))),
        ("0 0 0 1 1 * 2030", Box::new(|error| *error == SpecError::FieldCount(7))),
        ("60 * * * *", Box::new(field("minute", "60"))),
        ("* 24 * * *", Box::new(field("hour", "24"))),
        ("61 * * * * *", Box::new(field("second", "61"))),
        ("* * 32 * *", Box::new(field("day of the month", "32"))),
        ("* * 0 * *", Box::new(field("day of the month", "0"))),
        ("* * * 13 *", Box::new(field("month", "13"))),
        ("* * * Foo *", Box::new(field("month", "Foo"))),
        ("* * * * 8", Box::new(field("day of the week", "8"))),
        ("* * * * 5-1", Box::new(field("day of the week", "5-1"))),
        ("* * * * Mon#1", Box::new(field("day of the week", "Mon#1"))),
        ("*/0 * * * *", Box::new(field("minute", "*/0"))),
        ("1,,2 * * * *", Box::new(field("minute", "1,,2"))),
        ("9-5 * * * *", Box::new(field("minute", "9-5"))),
        ("99999999999 * * * *", Box::new(field("minute", "99999999999"))),
        ("* é * * *", Box::new(field("hour", "é"))),
        ("0 0 31 2 *", Box::new(|error| *error == SpecError::NeverFires("0 0 31 2 *".to_owned()))),
        ("0 0 31 4,6,9,11 *", Box::new(|error| matches!(error, SpecError::NeverFires(_)))),
        ("@every", Box::new(|error| *error == SpecError::Word("@every".to_owned()))),
        ("@reboot", Box::new(|error| *error == SpecError::Word("@reboot".to_owned()))),
        ("@every 0s", Box::new(|error| *error == SpecError::Every("0s".to_owned()))),
        ("@every 367d", Box::new(|error| matches!(error, SpecError::Every(_)))),
        ("@every 5", Box::new(|error| matches!(error, SpecError::Every(_)))),
        ("@every 5 m", Box::new(|error| matches!(error, SpecError::Every(_)))),
        ("@every 99999999999999999999d", Box::new(|error| matches!(error, SpecError::Every(_)))),
        ("@every 9223372036854775807d", Box::new(|error| matches!(error, SpecError::Every(_)))),
    ];
    for (text, is_expected) in table {
        let error = text.parse::<Spec>().expect_err(text);
        assert!(is_expected(&error), "{text}: {error:?}");
    }
    assert_eq!("*".repeat(201).parse::<Spec>(), Err(SpecError::TooLong(201)));
    assert_eq!(parse_zone("Europe/Lundon"), Err(SpecError::TimeZone("Europe/Lundon".to_owned())));
}

#[test]
fn a_rare_day_is_found_and_the_end_of_the_calendar_is_none() {
    assert_eq!(
        "0 0 29 2 *".parse::<Spec>().unwrap().next_after(Tz::UTC, utc("2096-03-01 00:00")),
        None,
        "2100 is no leap year"
    );
    let leap = "0 12 29 2 *".parse::<Spec>().unwrap();
    assert_eq!(leap.next_after(Tz::UTC, utc("2026-11-21 00:00")), Some(utc("2028-02-29 12:00")));
    let ninety = "@every 1m30s".parse::<Spec>().unwrap();
    assert_eq!(ninety.next_after(Tz::UTC, utc("2026-01-01 00:00")), Some(utc("2026-01-01 00:01:30")));
    assert_eq!(ninety.next_after(Tz::UTC, utc("2026-01-01 00:01:29")), Some(utc("2026-01-01 00:01:30")));
}

#[test]
fn overlap_admits_what_it_says() {
    let table = [
        (Overlap::Allow, Previous::Running, 3, 0..3),
        (Overlap::Skip, Previous::Gone, 3, 0..1),
        (Overlap::Skip, Previous::Gone, 0, 0..0),
        (Overlap::Skip, Previous::Waiting, 3, 0..0),
        (Overlap::Skip, Previous::Running, 3, 0..0),
        (Overlap::Replace, Previous::Gone, 3, 2..3),
        (Overlap::Replace, Previous::Waiting, 3, 2..3),
        (Overlap::Replace, Previous::Running, 3, 2..3),
        (Overlap::Replace, Previous::Gone, 0, 0..0),
    ];
    for (overlap, previous, ticks, expected) in table {
        assert_eq!(admit(overlap, previous, ticks), expected, "{overlap:?} {previous:?} {ticks}");
    }
}

/// Zones with the changes of both hemispheres, of half an hour, of none, and in the middle of the day's first hour.
const ZONES: [&str; 10] = [
    "UTC",
    "Europe/London",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "America/Havana",
    "Africa/Casablanca",
    "Pacific/Chatham",
    "America/St_Johns",
    "Asia/Tehran",
];

/// Fields whose values are known apart from their text.
#[derive(Debug, Clone)]
struct Fields {
    minute: (String, BTreeSet<u32>),
    hour: (String, BTreeSet<u32>),
    day: (String, BTreeSet<u32>),
    month: (String, BTreeSet<u32>),
    weekday: (String, BTreeSet<u32>),
}

/// A field: `*`, a list, a range, or either with a step.
fn field(min: u32, max: u32) -> impl Strategy<Value = (String, BTreeSet<u32>)> {
    let list = proptest::collection::btree_set(min..=max, 1..4)
        .prop_map(|set| (set.iter().map(u32::to_string).collect::<Vec<_>>().join(","), set));
    let range = (min..=max, min..=max, 1..=5_u32).prop_map(move |(one, other, step)| {
        let (first, last) = (one.min(other), one.max(other));
        (format!("{first}-{last}/{step}"), (first..=last).step_by(step as usize).collect())
    });
    let star = Just(("*".to_owned(), (min..=max).collect()));
    let steps = (1..=max.min(20))
        .prop_map(move |step| (format!("*/{step}"), (min..=max).step_by(step as usize).collect::<BTreeSet<u32>>()));
    prop_oneof![2 => star, 3 => list, 2 => range, 1 => steps]
}

fn fields() -> impl Strategy<Value = Fields> {
    let mostly = |field: BoxedStrategy<(String, BTreeSet<u32>)>, min: u32, max: u32| prop_oneof![3 => Just(("*".to_owned(), (min..=max).collect())), 1 => field];
    let weekday = field(0, 7).prop_map(|(text, set)| (text, set.into_iter().map(|day| day % 7).collect()));
    (
        // Not every minute of a year, which takes long where nothing is optimised.
        field(0, 59).prop_filter("few minutes", |(_, set)| set.len() <= 6),
        field(0, 23),
        mostly(field(1, 31).boxed(), 1, 31),
        mostly(field(1, 12).boxed(), 1, 12),
        mostly(weekday.boxed(), 0, 6),
    )
        .prop_map(|(minute, hour, day, month, weekday)| Fields { minute, hour, day, month, weekday })
}

impl Fields {
    fn text(&self) -> String {
        [&self.minute, &self.hour, &self.day, &self.month, &self.weekday].map(|field| field.0.as_str()).join(" ")
    }

    fn matches(&self, local: NaiveDateTime) -> bool {
        let (day, weekday) =
            (self.day.1.contains(&local.day()), self.weekday.1.contains(&local.weekday().num_days_from_sunday()));
        let is_open = self.day.0.starts_with('*') || self.weekday.0.starts_with('*');
        self.minute.1.contains(&local.minute())
            && self.hour.1.contains(&local.hour())
            && self.month.1.contains(&local.month())
            && if is_open { day && weekday } else { day || weekday }
    }

    /// Every tick of some days, found by looking at each minute.
    fn oracle(&self, zone: Tz, from: DateTime<Utc>, days: i64) -> BTreeSet<DateTime<Utc>> {
        // Clocks change at half hours of UTC, so the offset is asked for that often.
        let half_hours = (0..days * 48).map(|half_hour| from + TimeDelta::minutes(30 * half_hour));
        let minutes_of = |half_hour: DateTime<Utc>| {
            let local = half_hour.with_timezone(&zone).naive_local();
            (0..30).map(TimeDelta::minutes).map(move |passed| (half_hour + passed, local + passed))
        };
        let seen: Vec<_> = half_hours.flat_map(minutes_of).collect();
        if self.hour.1.len() == 24 {
            return seen.iter().filter(|(_, local)| self.matches(*local)).map(|(at, _)| *at).collect();
        }
        // Each local minute once: the first instant that shows it, or is the first past it.
        let (mut found, mut highest) = (BTreeSet::new(), seen[0].1 - TimeDelta::minutes(1));
        for (at, local) in seen {
            while highest < local {
                highest += TimeDelta::minutes(1);
                if self.matches(highest) {
                    found.insert(at);
                }
            }
        }
        found
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_tick_is_lost_doubled_or_made_up_in_a_year(fields in fields(), zone in 0..ZONES.len(), year in 2024..2030_i32) {
        let zone = parse_zone(ZONES[zone]).unwrap();
        // From a time that no zone's change makes doubtful.
        let from = utc(&format!("{year}-01-02 12:00"));
        let expected = fields.oracle(zone, from, 366);
        match fields.text().parse::<Spec>() {
            Err(error) => prop_assert!(matches!(error, SpecError::NeverFires(_)) && expected.is_empty(), "{error}"),
            Ok(spec) => {
                let next = |tick: &DateTime<Utc>| spec.next_after(zone, *tick);
                let all = std::iter::successors(next(&(from - TimeDelta::seconds(1))), next);
                let found: Vec<_> = all.take_while(|tick| *tick < from + TimeDelta::days(366)).collect();
                prop_assert!(found.is_sorted_by(|one, other| one < other));
                prop_assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn from_any_time_the_next_tick_is_the_same(fields in fields(), zone in 0..ZONES.len(), second in 0..31_536_000_i64) {
        let zone = parse_zone(ZONES[zone]).unwrap();
        let Ok(spec) = fields.text().parse::<Spec>() else { return Ok(()) };
        let after = utc("2026-01-01 00:00") + TimeDelta::seconds(second) + TimeDelta::milliseconds(second % 1_000);
        let Some(next) = spec.next_after(zone, after) else { return Ok(()) };
        prop_assert!(next > after);
        let between = after + (next - after) / 2;
        prop_assert_eq!(spec.next_after(zone, between), Some(next), "nothing lies between");
        prop_assert!(spec.next_after(zone, next).is_none_or(|later| later > next));
    }
}

/// A spec whose ticks are from a second to a day apart, its zone, and a policy.
fn schedule() -> impl Strategy<Value = (Spec, Tz, CatchUp)> {
    let specs = [
        "@every 1s",
        "@every 7m",
        "* * * * *",
        "*/30 * * * * *",
        "30 1 * * *",
        "0 */2 * * *",
        "@hourly",
        "0 9 * * 1-5",
    ];
    let catch_up = prop_oneof![Just(CatchUp::None), Just(CatchUp::Last), (1..20_u16).prop_map(CatchUp::All)];
    (0..specs.len(), 0..ZONES.len(), catch_up).prop_map(move |(spec, zone, catch_up)| {
        (specs[spec].parse().unwrap(), parse_zone(ZONES[zone]).unwrap(), catch_up)
    })
}

/// What the policy promises of the ticks that are due.
fn promised(all: &[DateTime<Utc>], now: DateTime<Utc>, catch_up: CatchUp) -> Vec<DateTime<Utc>> {
    match catch_up {
        CatchUp::None => all.last().filter(|tick| now - **tick < GRACE).copied().into_iter().collect(),
        CatchUp::Last => all.last().copied().into_iter().collect(),
        CatchUp::All(max) => all[all.len().saturating_sub(max.into())..].to_vec(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    /// Rounds on a virtual clock, after waits from nothing to days of outage. Some die before their commit.
    #[test]
    fn catch_up_keeps_its_promise_whatever_the_outages(
        (spec, zone, catch_up) in schedule(),
        rounds in proptest::collection::vec((0..5_u32, 0..86_400_i64, prop::bool::weighted(0.2)), 1..12),
    ) {
        let next_after = |after| spec.next_after(zone, after);
        let mut now = utc("2026-03-28 20:00");
        let mut next_at = next_after(now);
        // All that has become of ticks so far: each in order and once.
        let mut handled_to = now;
        for (scale, wait, dies) in rounds {
            now += TimeDelta::seconds(wait / 10_i64.pow(scale));
            let Some(first) = next_at.filter(|first| *first <= now) else { continue };
            let all: Vec<_> = std::iter::successors(Some(first), |tick| next_after(*tick))
                .take_while(|tick| *tick <= now)
                .collect();
            let Due { ticks, missed, next_at: next } = due(next_after, first, now, catch_up);
            if dies {
                continue;
            }
            let expected = promised(&all, now, catch_up);
            let left_out = &all[..all.len() - expected.len()];
            prop_assert_eq!(&ticks, &expected);
            prop_assert_eq!(missed, left_out.first().map(|first| (*first, *left_out.last().unwrap())));
            prop_assert_eq!(Some(all[0]), next_after(handled_to), "nothing was lost before");
            prop_assert_eq!(next, next_after(now), "nothing is lost after");
            (next_at, handled_to) = (next, now);
        }
    }
}
