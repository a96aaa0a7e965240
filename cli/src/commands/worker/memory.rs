//! An amount of memory, as a flag has it: `512MiB`.

use std::fmt;
use std::str::FromStr;

/// Less than this a process needs to start.
const BYTES_MIN: u64 = 32 << 20;

/// The units, the longest spelling of each first.
const UNITS: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Memory(pub(crate) u64);

impl FromStr for Memory {
    type Err = String;

    fn from_str(text: &str) -> Result<Memory, String> {
        let text = text.trim();
        let unit = UNITS.iter().find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, *bytes)));
        let (number, factor) = unit.ok_or("an amount of memory has a unit, as in 512MiB or 1GB")?;
        let number: u64 = number.trim().parse().map_err(|_| format!("`{}` is no whole number", number.trim()))?;
        let bytes = number.checked_mul(factor).ok_or("more than there can be")?;
        if bytes < BYTES_MIN {
            return Err("a worker process needs at least 32MiB".to_owned());
        }
        Ok(Memory(bytes))
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}B", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_with_units_are_read() {
        for (text, bytes) in
            [("512MiB", 512 << 20), ("1GB", 1_000_000_000), ("2 GiB", 2 << 30), ("33554432B", BYTES_MIN)]
        {
            assert_eq!(text.parse(), Ok(Memory(bytes)));
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "512", "MiB", "-1GiB", "1.5GiB", "31MiB", "99999999999GiB", "512 mb"] {
            assert!(text.parse::<Memory>().is_err(), "{text}");
        }
    }
}
