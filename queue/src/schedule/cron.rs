//! The fields of cron. The crate `cron` reads them; the days follow Unix's cron, where that crate follows another.

use std::str::FromStr;

use ::cron::{Schedule as Fields, TimeUnitSpec};
use chrono::{DateTime, Days, NaiveDateTime};

use super::SpecError;

/// The fields of the six-field form, and the values that each takes.
const FIELDS: [(&str, &str); 6] = [
    ("second", "0 to 59"),
    ("minute", "0 to 59"),
    ("hour", "0 to 23"),
    ("day of the month", "1 to 31"),
    ("month", "1 to 12, Jan to Dec"),
    ("day of the week", "0 to 7 (0 and 7 are Sunday), Sun to Sat"),
];

/// Fields of cron that are understood, and that come at least once.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cron {
    /// It ticks when any of these does: one, or the days of the month and those of the week apart.
    any_of: Vec<Fields>,
}

impl Cron {
    /// Reads five fields, which tick at second 0, or six.
    pub(super) fn parse(text: &str) -> Result<Cron, SpecError> {
        let mut fields: Vec<&str> = text.split(' ').filter(|field| !field.is_empty()).collect();
        match fields.len() {
            5 => fields.insert(0, "0"),
            6 => {}
            other => return Err(SpecError::FieldCount(other)),
        }
        let mut read: Vec<String> = Vec::with_capacity(FIELDS.len());
        for (place, value) in fields.iter().enumerate() {
            read.push(read_field(place, value)?);
        }
        let any_of = match (is_open(fields[3]), is_open(fields[5])) {
            // As in Unix's cron: two that are restricted mean either, so `0 0 13 * 5` is each 13th and each Friday.
            (false, false) => vec![understood(&read, Some(5)), understood(&read, Some(3))],
            _ => vec![understood(&read, None)],
        };
        let cron = Cron { any_of };
        let before_all = DateTime::UNIX_EPOCH.naive_utc() - Days::new(1);
        if cron.next_local(before_all).is_none() {
            return Err(SpecError::NeverFires(text.to_owned()));
        }
        Ok(cron)
    }

    /// The first local time after this one that the fields name; none when there is none before the year 2101.
    pub(super) fn next_local(&self, after: NaiveDateTime) -> Option<NaiveDateTime> {
        // Read as UTC, a local time is only a number, and the crate has no clock changes to get lost in.
        let next = |fields: &Fields| fields.after(&after.and_utc()).next().map(|next| next.naive_utc());
        self.any_of.iter().filter_map(next).min()
    }

    /// Whether it ticks in every hour of its days.
    pub(super) fn is_every_hour(&self) -> bool {
        self.any_of[0].hours().is_all()
    }
}

/// Whether a field of days leaves it to the other to restrict them.
fn is_open(value: &str) -> bool {
    value.starts_with(['*', '?'])
}

/// A field as the crate reads it, or an error that names it.
fn read_field(place: usize, value: &str) -> Result<String, SpecError> {
    let (field, takes) = FIELDS[place];
    let wrong = || SpecError::Field { field, value: value.to_owned(), takes };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "*,/?-".contains(c);
    let read = if place == 5 { number_days(value) } else { Some(value.to_owned()) };
    let read = read.filter(|_| value.chars().all(is_plain)).ok_or_else(wrong)?;
    let mut alone = ["*"; FIELDS.len()];
    alone[place] = &read;
    Fields::from_str(&alone.join(" ")).map_err(|_| wrong())?;
    Ok(read)
}

/// All fields, with `open` for any value of the field at this place.
fn understood(read: &[String], open: Option<usize>) -> Fields {
    let field = |(place, value): (usize, &String)| if open == Some(place) { "*".to_owned() } else { value.clone() };
    let all = read.iter().enumerate().map(field).collect::<Vec<_>>().join(" ");
    Fields::from_str(&all).expect("each of the fields has been understood by itself")
}

/// Days of the week with Unix's numbers (0 and 7 are Sunday), in those of the crate (1 is Sunday).
fn number_days(value: &str) -> Option<String> {
    let items: Option<Vec<String>> = value.split(',').map(number_item).collect();
    items.map(|items| items.join(","))
}

fn number_item(item: &str) -> Option<String> {
    if !item.starts_with(|c: char| c.is_ascii_digit()) {
        return Some(item.to_owned());
    }
    let (base, step) = item.split_once('/').map_or((item, None), |(base, step)| (base, Some(step)));
    let day = |text: &str| text.parse::<u8>().ok().filter(|day| *day <= 7);
    let (first, last) = match (base.split_once('-'), step) {
        (Some((first, last)), _) => (day(first)?, day(last)?),
        // From that day to Saturday.
        (None, Some(_)) => (day(base)?, day(base)?.max(6)),
        (None, None) => (day(base)?, day(base)?),
    };
    let step: usize = step.map_or(Some(1), |step| step.parse().ok().filter(|step| (1..=7).contains(step)))?;
    let days: Vec<String> = (first..=last).step_by(step).map(|day| (day % 7 + 1).to_string()).collect();
    if days.is_empty() { None } else { Some(days.join(",")) }
}
