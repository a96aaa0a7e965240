//! Reading lines exactly as they are written: there is one way to write each, and any other is no line of an export.

use uuid::Uuid;

use super::write;

/// What is left of a line. Each step is `None` where the line is not as an export writes it.
pub(super) struct Scan<'a> {
    pub(super) rest: &'a [u8],
}

impl<'a> Scan<'a> {
    /// Steps over this text.
    pub(super) fn skip(&mut self, text: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(text.as_bytes())?;
        Some(())
    }

    pub(super) fn int(&mut self) -> Option<i64> {
        let is_digit = |byte: &&u8| byte.is_ascii_digit();
        let is_negative = self.rest.first() == Some(&b'-');
        let digits = &self.rest[usize::from(is_negative)..];
        let count = digits.iter().take_while(is_digit).count();
        // One way to write each number: no zero before another digit, none with a minus.
        if count == 0 || count > 19 || (digits[0] == b'0' && (count > 1 || is_negative)) {
            return None;
        }
        let value = digits[..count].iter().fold(0u128, |value, byte| value * 10 + u128::from(byte - b'0'));
        self.rest = &digits[count..];
        let value = i128::try_from(value).ok()?;
        i64::try_from(if is_negative { -value } else { value }).ok()
    }

    pub(super) fn boolean(&mut self) -> Option<bool> {
        if self.skip("true").is_some() { Some(true) } else { self.skip("false").map(|()| false) }
    }

    pub(super) fn uuid(&mut self) -> Option<Uuid> {
        self.skip("\"")?;
        let (text, rest) = self.rest.split_first_chunk::<36>()?;
        self.rest = rest;
        let mut bytes = [0; 16];
        let (mut place, mut wrong) = (0, false);
        for (n, byte) in bytes.iter_mut().enumerate() {
            if matches!(n, 4 | 6 | 8 | 10) {
                (text[place] == b'-').then_some(())?;
                place += 1;
            }
            let (high, low) = (NIBBLES[usize::from(text[place])], NIBBLES[usize::from(text[place + 1])]);
            wrong |= high > 15 || low > 15;
            *byte = high << 4 | low;
            place += 2;
        }
        assert_eq!(place, text.len(), "an id has 32 digits and 4 hyphens");
        self.skip("\"").filter(|()| !wrong)?;
        Some(Uuid::from_bytes(bytes))
    }

    /// Hexadecimal up to a quote.
    pub(super) fn hex(&mut self, bytes: &mut Vec<u8>) -> Option<()> {
        let end = self.rest.iter().position(|byte| *byte == b'"')?;
        let (digits, rest) = self.rest.split_at(end);
        let (pairs, odd) = digits.as_chunks::<2>();
        bytes.clear();
        let mut wrong = !odd.is_empty();
        bytes.extend(pairs.iter().map(|[high, low]| {
            let (high, low) = (NIBBLES[usize::from(*high)], NIBBLES[usize::from(*low)]);
            wrong |= high > 15 || low > 15;
            high << 4 | low
        }));
        self.rest = &rest[1..];
        (!wrong).then_some(())
    }

    /// A time as [`write::time`] writes it.
    pub(super) fn time(&mut self) -> Option<i64> {
        if self.rest.first() != Some(&b'"') {
            return self.int();
        }
        let (text, rest) = self.rest.split_first_chunk::<29>()?;
        let number = |at: usize, width: usize| -> i64 {
            text[at..at + width].iter().fold(0, |number, digit| number * 10 + i64::from(digit.wrapping_sub(b'0') % 10))
        };
        let days = write::days(number(1, 4), number(6, 2), number(9, 2));
        let seconds = days * 86_400 + number(12, 2) * 3_600 + number(15, 2) * 60 + number(18, 2);
        let micros = seconds * 1_000_000 + number(21, 6);
        // Whatever is not written back the same is no time.
        let mut again = Vec::with_capacity(29);
        write::time(&mut again, micros);
        self.rest = rest;
        (again == text).then_some(micros)
    }

    /// What `read` reads, or `null`.
    pub(super) fn or_null<T>(&mut self, read: impl FnOnce(&mut Scan<'a>) -> Option<T>) -> Option<Option<T>> {
        if self.skip("null").is_some() { Some(None) } else { read(self).map(Some) }
    }

    /// A text in quotes, escaped as [`write::text`] escapes it.
    pub(super) fn text(&mut self) -> Option<String> {
        let mut values = serde_json::Deserializer::from_slice(self.rest).into_iter::<String>();
        let text = values.next()?.ok()?;
        let (written, rest) = self.rest.split_at(values.byte_offset());
        let mut again = Vec::with_capacity(written.len());
        write::text(&mut again, &text);
        self.rest = rest;
        (again == written).then_some(text)
    }

    /// The end of the line, after the brace that closes it.
    pub(super) fn end(&mut self) -> Option<()> {
        (self.rest == b"}").then_some(())
    }
}

/// The value of each digit of a hexadecimal number in lower case; above 15 where it is none.
static NIBBLES: [u8; 256] = {
    let mut nibbles = [16; 256];
    let mut value = 0;
    while value < 16 {
        nibbles[b"0123456789abcdef"[value] as usize] = value as u8;
        value += 1;
    }
    nibbles
};

#[cfg(test)]
mod tests {
    use super::*;

    fn int(text: &str) -> Option<i64> {
        let mut scan = Scan { rest: text.as_bytes() };
        scan.int().filter(|_| scan.rest.is_empty())
    }

    #[test]
    fn there_is_one_way_to_write_a_number() {
        for number in [0, 7, -7, i64::MAX, i64::MIN] {
            assert_eq!(int(&number.to_string()), Some(number));
        }
        for wrong in ["", "-", "-0", "00", "07", "+7", "7 ", "9223372036854775808", "7e1"] {
            assert_eq!(int(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_text_a_time_and_an_id_read_back() {
        let id = Uuid::from_u128(0x0123_4567_89ab_cdef);
        let mut line = Vec::new();
        write::uuid(&mut line, id);
        write::time(&mut line, 1_700_000_000_123_456);
        write::text(&mut line, "a \"note\"\n— ");
        line.push(b'}');
        let mut scan = Scan { rest: &line };
        assert_eq!(scan.uuid(), Some(id));
        assert_eq!(scan.time(), Some(1_700_000_000_123_456));
        assert_eq!(scan.text().as_deref(), Some("a \"note\"\n— "));
        assert_eq!(scan.end(), Some(()));
        let upper = line.to_ascii_uppercase();
        assert_eq!(Scan { rest: &upper }.uuid(), None);
        assert_eq!(Scan { rest: b"\"\\u0061\"" }.text(), None);
        for wrong in ["2023-02-29T00:00:00.000000Z", "2023-02-28T24:00:00.000000Z", "2023-02-28 00:00:00.000000Z"] {
            assert_eq!(Scan { rest: format!("\"{wrong}\"").as_bytes() }.time(), None, "{wrong}");
        }
        for wrong in ["0", "0g", "0G", "AB"] {
            assert_eq!(Scan { rest: format!("{wrong}\"").as_bytes() }.hex(&mut Vec::new()), None, "{wrong}");
        }
    }
}
