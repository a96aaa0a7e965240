//! Operations that are to go: their answers say since when nobody should use them (RFC 9745) and when they will be gone (RFC 8594).

use chrono::{DateTime, NaiveDate, Utc};
use poem::Response;
use poem::http::{HeaderName, HeaderValue};

const DEPRECATION: HeaderName = HeaderName::from_static("deprecation");
const SUNSET: HeaderName = HeaderName::from_static("sunset");

/// An operation that is to go, by its id. Between the two days lies half a year at least.
pub(crate) struct Retired {
    pub(crate) operation: &'static str,
    since: NaiveDate,
    gone: NaiveDate,
}

/// They stand in docs/API-CHANGELOG.md too, with what to use instead.
const RETIRED: &[Retired] = &[];

/// The operation, if it is to go.
pub(crate) fn find(operation: &str) -> Option<&'static Retired> {
    RETIRED.iter().find(|retired| retired.operation == operation)
}

impl Retired {
    /// Says it on an answer.
    pub(super) fn tell(&self, response: &mut Response) {
        let headers = response.headers_mut();
        let since = format!("@{}", start(self.since).timestamp());
        let gone = start(self.gone).format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        for (name, value) in [(DEPRECATION, since), (SUNSET, gone)] {
            headers.insert(name, HeaderValue::try_from(value).expect("a date is plain text"));
        }
    }
}

fn start(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(chrono::NaiveTime::MIN).and_utc()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dates_are_written_as_the_standards_have_it() {
        let day = |year, month| NaiveDate::from_ymd_opt(year, month, 1).unwrap();
        let mut response = Response::default();
        Retired { operation: "listThings", since: day(2026, 1), gone: day(2026, 9) }.tell(&mut response);
        assert_eq!(response.header("deprecation"), Some("@1767225600"));
        assert_eq!(response.header("sunset"), Some("Tue, 01 Sep 2026 00:00:00 GMT"));
    }

    #[test]
    fn there_is_half_a_year_to_change() {
        assert!(RETIRED.iter().all(|retired| (retired.gone - retired.since).num_days() >= 180));
    }
}
