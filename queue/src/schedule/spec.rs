//! When a schedule ticks: cron, or every so often. Pure: the same for every process, whatever happened before.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::cron::Cron;
use super::local::{next_each, next_once};

/// The longest text of a spec, in bytes.
const SPEC_BYTES_MAX: usize = 200;
/// The longest time between two ticks of `@every`: a year, in seconds.
const EVERY_SECONDS_MAX: i64 = 366 * 86_400;
/// What stands for no tick at all.
const OFF: &str = "off";
/// The words that stand for five fields.
const WORDS: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

/// Why a text is no spec.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// Longer than any sensible one.
    #[error("a schedule's spec has at most {SPEC_BYTES_MAX} bytes, not {0}")]
    TooLong(usize),
    /// Neither five nor six fields.
    #[error("cron has five fields (minute first) or six (second first), not {0}")]
    FieldCount(usize),
    /// A field that cron does not understand, or a value that it cannot have.
    #[error("`{value}` is no {field}: it is {takes}, `*`, or a list (1,2), range (1-5) or step (*/2) of these")]
    Field {
        /// Which field: `second`, `minute`, `hour`, `day of the month`, `month` or `day of the week`.
        field: &'static str,
        /// What stands there.
        value: String,
        /// What may stand there.
        takes: &'static str,
    },
    /// No such day: 31 February, for instance.
    #[error("`{0}` never comes")]
    NeverFires(String),
    /// What follows `@every` is no duration, or not one from a second to a year.
    #[error("`@every {0}`: it takes days, hours, minutes and seconds, as in 1h30m, from 1s to 366d")]
    Every(String),
    /// An `@` word that is not known.
    #[error("`{0}` is none of @every, @hourly, @daily, @midnight, @weekly, @monthly, @yearly and @annually")]
    Word(String),
    /// Not the name of a time zone.
    #[error("`{0}` is no time zone of the IANA database, such as UTC or Europe/London")]
    TimeZone(String),
}

/// When a schedule ticks, apart from its time zone.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Spec {
    text: String,
    form: Form,
}

#[derive(Debug, Clone, PartialEq)]
enum Form {
    /// At whole multiples of this many seconds since 1970.
    Every(i64),
    Cron(Cron),
    /// Never by itself.
    Off,
}

impl FromStr for Spec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Spec, SpecError> {
        if text.len() > SPEC_BYTES_MAX {
            return Err(SpecError::TooLong(text.len()));
        }
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let form = match text.split_once(' ') {
            Some(("@every", period)) => Form::Every(parse_seconds(period)?),
            None if text == OFF => Form::Off,
            _ if text.starts_with('@') => {
                let known = WORDS.iter().find(|(word, _)| *word == text);
                Form::Cron(Cron::parse(known.ok_or_else(|| SpecError::Word(text.clone()))?.1)?)
            }
            _ => Form::Cron(Cron::parse(&text)?),
        };
        Ok(Spec { text, form })
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Spec {
    /// The first tick after this time; none when there is none before the year 2101.
    pub(crate) fn next_after(&self, zone: Tz, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match &self.form {
            Form::Every(seconds) => DateTime::from_timestamp((after.timestamp().div_euclid(*seconds) + 1) * seconds, 0),
            Form::Off => None,
            // In every hour there is: what counts is the time that passes, so the clock's jumps move nothing.
            Form::Cron(cron) if cron.is_every_hour() => next_each(zone, after, |local| cron.next_local(local)),
            // At hours of the day: each happens once on each day, also where the clock jumps.
            Form::Cron(cron) => next_once(zone, after, |local| cron.next_local(local)),
        }
    }
}

/// The zone of this name.
pub(crate) fn parse_zone(name: &str) -> Result<Tz, SpecError> {
    name.parse().map_err(|_| SpecError::TimeZone(name.chars().take(SPEC_BYTES_MAX).collect()))
}

/// The seconds of a duration such as `1h30m`.
fn parse_seconds(text: &str) -> Result<i64, SpecError> {
    let wrong = || SpecError::Every(text.to_owned());
    let (mut rest, mut total) = (text, 0_i64);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let number: i64 = rest[..digits].parse().map_err(|_| wrong())?;
        let unit = match rest.as_bytes()[digits] {
            b's' => 1,
            b'm' => 60,
            b'h' => 3_600,
            b'd' => 86_400,
            _ => return Err(wrong()),
        };
        total = number.checked_mul(unit).and_then(|part| total.checked_add(part)).ok_or_else(wrong)?;
        rest = &rest[digits + 1..];
    }
    if (1..=EVERY_SECONDS_MAX).contains(&total) { Ok(total) } else { Err(wrong()) }
}
