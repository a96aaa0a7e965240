//! Writing lines: numbers, ids, hashes and times, without a detour by way of a formatter, since there are many.

use uuid::Uuid;

const DIGITS: &[u8; 16] = b"0123456789abcdef";
/// Microseconds in a day.
const DAY: i64 = 86_400_000_000;

/// Appends a text as it is.
pub(super) fn put(line: &mut Vec<u8>, text: &str) {
    line.extend_from_slice(text.as_bytes());
}

/// Appends bytes as hexadecimal.
pub(super) fn hex(line: &mut Vec<u8>, bytes: &[u8]) {
    line.reserve(2 * bytes.len());
    for byte in bytes {
        line.extend_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
}

/// Appends a number.
pub(super) fn int(line: &mut Vec<u8>, number: i64) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    let mut rest = number.unsigned_abs();
    loop {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        line.push(b'-');
    }
    assert!(start < digits.len(), "a number has a digit");
    line.extend_from_slice(&digits[start..]);
}

/// Appends a number, or `null`.
pub(super) fn int_or_null(line: &mut Vec<u8>, number: Option<i64>) {
    match number {
        Some(number) => int(line, number),
        None => line.extend_from_slice(b"null"),
    }
}

/// Appends an id in quotes.
pub(super) fn uuid(line: &mut Vec<u8>, id: Uuid) {
    let mut text = [0; 36];
    id.hyphenated().encode_lower(&mut text);
    line.push(b'"');
    line.extend_from_slice(&text);
    line.push(b'"');
}

/// Appends an id in quotes, or `null`.
pub(super) fn uuid_or_null(line: &mut Vec<u8>, id: Option<Uuid>) {
    match id {
        Some(id) => uuid(line, id),
        None => line.extend_from_slice(b"null"),
    }
}

/// Appends a time in quotes, as RFC 3339 with six decimals; a year beyond four digits as a number of microseconds.
pub(super) fn time(line: &mut Vec<u8>, micros: i64) {
    let (days, rest) = (micros.div_euclid(DAY), micros.rem_euclid(DAY));
    let (year, month, day) = date(days);
    if !(0..=9999).contains(&year) {
        return int(line, micros);
    }
    let seconds = rest / 1_000_000;
    let mut text = *b"\"0000-00-00T00:00:00.000000Z\"";
    let mut put = |at: usize, width: usize, mut value: i64| {
        for place in (at..at + width).rev() {
            text[place] = b'0' + (value % 10) as u8;
            value /= 10;
        }
        assert_eq!(value, 0, "the number fits its place");
    };
    put(1, 4, year);
    put(6, 2, month);
    put(9, 2, day);
    put(12, 2, seconds / 3_600);
    put(15, 2, seconds / 60 % 60);
    put(18, 2, seconds % 60);
    put(21, 6, rest % 1_000_000);
    line.extend_from_slice(&text);
}

/// Appends a time, or `null`.
pub(super) fn time_or_null(line: &mut Vec<u8>, micros: Option<i64>) {
    match micros {
        Some(micros) => time(line, micros),
        None => line.extend_from_slice(b"null"),
    }
}

/// Appends a text in quotes, escaped.
pub(super) fn text(line: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(line, text).expect("memory takes what is written");
}

/// The count of days since 1970 of a date, the reverse of [`date`].
pub(super) fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day of a count of days since 1970 (Hinnant, "chrono-compatible low-level date algorithms").
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    assert!((1..=12).contains(&month) && (1..=31).contains(&day));
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::scan::Scan;

    fn written(micros: i64) -> String {
        let mut line = Vec::new();
        time(&mut line, micros);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        for micros in
            [0, -1, 951_782_400_000_000, 1_700_000_000_123_456, 253_402_300_799_999_999, -62_167_219_200_000_000]
        {
            let at = chrono::DateTime::from_timestamp_micros(micros).unwrap();
            assert_eq!(written(micros), at.format("\"%Y-%m-%dT%H:%M:%S%.6fZ\"").to_string());
            assert_eq!(Scan { rest: written(micros).as_bytes() }.time(), Some(micros));
        }
        assert_eq!(written(i64::MAX), i64::MAX.to_string());
    }

    #[test]
    fn numbers_are_written_whole() {
        for number in [0, 7, -7, i64::MAX, i64::MIN] {
            let mut line = Vec::new();
            int(&mut line, number);
            assert_eq!(String::from_utf8(line).unwrap(), number.to_string());
        }
    }
}
