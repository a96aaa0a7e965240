//! Token buckets, in memory, for each process by itself.
//!
//! A bucket is one number, the time at which it will be full again (GCRA). What is full again is forgotten, and there is a bound on how
//! many are remembered, so the memory is bounded whoever calls.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use domain::{Principal, Role};
use poem::Response;
use poem::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use uuid::Uuid;

use super::observe::REFUSED;
use super::rates::{Rate, RateLimit, Rates};
use crate::problem::Problem;

/// Of the draft `draft-ietf-httpapi-ratelimit-headers`.
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// Of the same: what is left of the policies.
const STANDING: HeaderName = HeaderName::from_static("ratelimit");

/// So many buckets are remembered; beyond, the half that is nearest to full is forgotten.
const REMEMBERED_MAX: usize = 100_000;

/// Whose bucket it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Who {
    User(Uuid),
    Address(IpAddr),
}

/// What a bucket is for; its name in the headers.
type Name = &'static str;

/// How a caller stands after a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    name: Name,
    rate: Rate,
    remaining: u32,
    /// Seconds until all of it is there again.
    reset_s: u64,
}

/// A request that is too many.
#[derive(Debug)]
struct TooMany {
    standing: Standing,
    wait: Duration,
}

/// The buckets.
pub(crate) struct Buckets {
    rates: Rates,
    started: Instant,
    /// When each will be full again, in nanoseconds since the start.
    full_at: Mutex<HashMap<(Who, Name), u64>>,
    remembered_max: usize,
}

impl Buckets {
    /// Full ones.
    pub(crate) fn new(rates: Rates) -> Buckets {
        Buckets { rates, started: Instant::now(), full_at: Mutex::default(), remembered_max: REMEMBERED_MAX }
    }

    /// Counts a request of somebody known.
    pub(crate) fn take_of(&self, caller: &Principal, method: &Method) -> Result<Vec<Standing>, Problem> {
        let who = Who::User(caller.user_id.0);
        if caller.role != Role::User {
            return self.take(who, &[("staff", self.rates.staff)]);
        }
        let reads = method.is_safe();
        let both = [("default", self.rates.user), ("writes", self.rates.writes)];
        self.take(who, if reads { &both[..1] } else { &both })
    }

    /// Counts a request of somebody unknown; one that changes something counts twice over.
    pub(crate) fn take_from(&self, address: IpAddr, is_login: bool) -> Result<Vec<Standing>, Problem> {
        let both = [("address", self.rates.address), ("login", self.rates.login)];
        self.take(Who::Address(network(address)), if is_login { &both } else { &both[..1] })
    }

    /// Refuses if the address has sent too many requests without a valid token, and counts nothing.
    pub(crate) fn check(&self, address: IpAddr) -> Result<(), Problem> {
        let RateLimit(Some(rate)) = self.rates.address else { return Ok(()) };
        let (now, key) = (self.now(), (Who::Address(network(address)), "address"));
        let full_at = self.full_at.lock().expect("nobody panics while holding the lock").get(&key).copied();
        drawn("address", rate, full_at.unwrap_or(now), now).map(drop).map_err(problem)
    }

    fn take(&self, who: Who, limits: &[(Name, RateLimit)]) -> Result<Vec<Standing>, Problem> {
        let limits = limits.iter().filter_map(|(name, limit)| Some((*name, limit.0?)));
        limits.map(|(name, rate)| self.take_at(who, name, rate, self.now()).map_err(problem)).collect()
    }

    fn take_at(&self, who: Who, name: Name, rate: Rate, now: u64) -> Result<Standing, TooMany> {
        let mut buckets = self.full_at.lock().expect("nobody panics while holding the lock");
        if buckets.len() >= self.remembered_max && !buckets.contains_key(&(who, name)) {
            forget(&mut buckets, now, self.remembered_max);
        }
        let full_at = buckets.get(&(who, name)).copied().unwrap_or(now);
        let (full_at, standing) = drawn(name, rate, full_at, now)?;
        buckets.insert((who, name), full_at);
        Ok(standing)
    }

    fn now(&self) -> u64 {
        nanoseconds(self.started.elapsed())
    }
}

/// One request drawn from a bucket: when it will be full then, and how that looks.
fn drawn(name: Name, rate: Rate, full_at: u64, now: u64) -> Result<(u64, Standing), TooMany> {
    let window = nanoseconds(rate.window);
    let each = (window / u64::from(rate.quota)).max(1);
    let full_then = full_at.max(now) + each;
    let debt = full_then - now;
    let standing = |debt: u64| Standing {
        name,
        rate,
        remaining: u32::try_from(window.saturating_sub(debt) / each).unwrap_or(rate.quota),
        reset_s: debt.div_ceil(1_000_000_000),
    };
    if debt > window {
        let wait = Duration::from_nanos(debt - window);
        return Err(TooMany { standing: Standing { remaining: 0, ..standing(debt - each) }, wait });
    }
    Ok((full_then, standing(debt)))
}

/// Makes room: what is full is forgotten, and if that is too little, what is nearest to it.
fn forget(buckets: &mut HashMap<(Who, Name), u64>, now: u64, remembered_max: usize) {
    buckets.retain(|_, full_at| *full_at > now);
    if buckets.len() > remembered_max / 2 {
        let mut times: Vec<u64> = buckets.values().copied().collect();
        let middle = times.len() / 2;
        let (_, median, _) = times.select_nth_unstable(middle);
        let median = *median;
        buckets.retain(|_, full_at| *full_at > median);
    }
}

/// Whoever has an address of IPv6 has the 2^64 of its network.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() & !u128::from(u64::MAX)).into()),
        address => address,
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn problem(TooMany { standing, wait }: TooMany) -> Problem {
    metrics::counter!(REFUSED.name, "reason" => "rate").increment(1);
    let seconds = wait.as_secs_f64().ceil().max(1.0);
    let detail = "You have sent more requests than are allowed; Retry-After says when there is room again.";
    let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail);
    let problem = problem.extension("violated_policies", vec![standing.name]);
    headers(&[standing])
        .into_iter()
        .fold(problem, |problem, (name, value)| problem.header(name, value))
        .header(header::RETRY_AFTER, HeaderValue::from(seconds as u64))
}

/// Says on the answer how the caller stands.
pub(crate) fn show(response: &mut Response, standings: &[Standing]) {
    response.headers_mut().extend(headers(standings));
}

fn headers(standings: &[Standing]) -> Vec<(HeaderName, HeaderValue)> {
    if standings.is_empty() {
        return Vec::new();
    }
    let list = |part: &dyn Fn(&Standing) -> String| {
        let text = standings.iter().map(part).collect::<Vec<_>>().join(", ");
        HeaderValue::try_from(text).expect("names and numbers are plain text")
    };
    let policy =
        |Standing { name, rate, .. }: &Standing| format!("\"{name}\";q={};w={}", rate.quota, rate.window.as_secs());
    let left = |Standing { name, remaining, reset_s, .. }: &Standing| format!("\"{name}\";r={remaining};t={reset_s}");
    vec![(POLICY, list(&policy)), (STANDING, list(&left))]
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_quota_may_come_at_once_and_then_flows_back() {
        let buckets = Buckets::new(Rates::default());
        let (who, rate) = (Who::Address(address("192.0.2.1")), Rate { quota: 3, window: Duration::from_secs(6) });
        let take = |now: u64| buckets.take_at(who, "test", rate, now).map(|standing| standing.remaining);
        assert_eq!([take(0).unwrap(), take(0).unwrap(), take(0).unwrap()], [2, 1, 0]);
        let refused = take(SECOND).unwrap_err();
        assert_eq!(
            (refused.wait, refused.standing.reset_s),
            (Duration::from_secs(1), 5),
            "one comes back in two seconds"
        );
        assert_eq!(take(2 * SECOND).unwrap(), 0);
        assert!(take(2 * SECOND).is_err(), "a refused request is not counted, and neither is it free");
        assert_eq!(take(100 * SECOND).unwrap(), 2, "more than all does not come back");
    }

    #[test]
    fn one_that_sends_too_much_is_nobody_elses_trouble_and_memory_is_bounded() {
        let buckets = Buckets { remembered_max: 10, ..Buckets::new(Rates::default()) };
        let rate = Rate { quota: 2, window: Duration::from_secs(2) };
        let take = |host: u32, now: u64| buckets.take_at(Who::Address(IpAddr::V4(host.into())), "test", rate, now);
        assert!(take(1, 0).is_ok() && take(1, 0).is_ok() && take(1, 0).is_err() && take(2, 0).is_ok());
        for host in 3..1_000 {
            assert!(take(host, 0).is_ok());
            assert!(buckets.full_at.lock().unwrap().len() <= 10);
        }
        assert!(take(1, 0).is_err(), "the one that sent too much is the last to be forgotten");
    }

    #[test]
    fn an_address_is_its_network() {
        assert_eq!(network(address("2001:db8:1:2:3:4:5:6")), network(address("2001:db8:1:2::1")));
        assert_ne!(network(address("2001:db8:1:2::1")), network(address("2001:db8:1:3::1")));
        assert_eq!(network(address("::ffff:192.0.2.1")), address("192.0.2.1"));
    }
}
