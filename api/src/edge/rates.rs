//! How many requests each kind of caller may send.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// So many requests in so much time; all of them may come at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    pub(super) quota: u32,
    pub(super) window: Duration,
}

/// A rate, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit(pub Option<Rate>);

impl RateLimit {
    /// No limit.
    pub const OFF: RateLimit = RateLimit(None);

    /// `quota` requests in a minute.
    pub const fn a_minute(quota: u32) -> RateLimit {
        RateLimit(Some(Rate { quota, window: Duration::from_secs(60) }))
    }
}

impl FromStr for RateLimit {
    type Err = String;

    /// Reads `600/m`, `10/s`, `5000/h`, or `off`.
    fn from_str(text: &str) -> Result<RateLimit, String> {
        if text == "off" {
            return Ok(RateLimit::OFF);
        }
        let refused = || "a rate is written as 10/s, 600/m or 5000/h, or `off`".to_owned();
        let (quota, unit) = text.split_once('/').ok_or_else(refused)?;
        let quota = quota.parse().ok().filter(|quota| (1..=100_000_000).contains(quota)).ok_or_else(refused)?;
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            _ => return Err(refused()),
        };
        Ok(RateLimit(Some(Rate { quota, window: Duration::from_secs(seconds) })))
    }
}

impl fmt::Display for RateLimit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => formatter.write_str("off"),
            Some(Rate { quota, window }) => match window.as_secs() {
                1 => write!(formatter, "{quota}/s"),
                60 => write!(formatter, "{quota}/m"),
                _ => write!(formatter, "{quota}/h"),
            },
        }
    }
}

/// The limits; each applies to one caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rates {
    /// Requests of a user, whatever they use to say who they are.
    pub user: RateLimit,
    /// Those of them that change something.
    pub writes: RateLimit,
    /// Requests of an operator or administrator.
    pub staff: RateLimit,
    /// Requests of an address without a valid token.
    pub address: RateLimit,
    /// Those of them that change something: logging in, resetting a password.
    pub login: RateLimit,
}

impl Default for Rates {
    fn default() -> Rates {
        Rates {
            user: RateLimit::a_minute(6_000),
            writes: RateLimit::a_minute(3_000),
            staff: RateLimit::OFF,
            address: RateLimit::a_minute(1_200),
            login: RateLimit::a_minute(120),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_read_as_it_is_written() {
        for text in ["off", "10/s", "600/m", "5000/h"] {
            assert_eq!(text.parse::<RateLimit>().unwrap().to_string(), text);
        }
        for wrong in ["", "10", "0/s", "-1/s", "10/d", "1.5/s", "OFF"] {
            assert!(wrong.parse::<RateLimit>().is_err(), "{wrong}");
        }
    }
}
