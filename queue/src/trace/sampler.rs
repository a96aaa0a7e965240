//! Which traces are kept, by the rules of OpenTelemetry's samplers.

use std::str::FromStr;

/// Decides by the trace's id alone, or by what came before, so that all processes decide alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sampler {
    /// Whoever came before has decided.
    is_parent_based: bool,
    /// Of 2^63 trace ids, how many are kept.
    share: u64,
}

/// All of them.
const ALL: u64 = 1 << 63;

impl Sampler {
    /// A trace is kept if it was before, and always if it begins here.
    pub const PARENT_OR_ALWAYS: Sampler = Sampler { is_parent_based: true, share: ALL };

    /// The sampler that `OTEL_TRACES_SAMPLER` names, with `OTEL_TRACES_SAMPLER_ARG`.
    ///
    /// # Errors
    /// What is wrong, for a name or a ratio that is none.
    pub fn parse(name: &str, ratio: Option<&str>) -> Result<Sampler, String> {
        let ratio = || match ratio.map(f64::from_str) {
            None => Ok(ALL),
            Some(Ok(ratio)) if (0.0..=1.0).contains(&ratio) => Ok((ratio * ALL as f64) as u64),
            Some(_) => Err("the sampler's argument is a ratio from 0 to 1".to_owned()),
        };
        let (is_parent_based, name) = match name.strip_prefix("parentbased_") {
            Some(rest) => (true, rest),
            None => (false, name),
        };
        let share = match name {
            "always_on" => ALL,
            "always_off" => 0,
            "traceidratio" => ratio()?,
            _ => return Err("it is always_on, always_off or traceidratio, or one of these after parentbased_".into()),
        };
        Ok(Sampler { is_parent_based, share })
    }

    /// Whether a trace of this id is kept; `parent` is what came before, if anything did.
    pub(super) fn takes(self, trace_id: u128, parent: Option<bool>) -> bool {
        match parent {
            Some(is_sampled) if self.is_parent_based => is_sampled,
            _ => (trace_id as u64 >> 1) < self.share,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_decides_as_it_says() {
        let (low, high) = (1, u128::MAX);
        let rows = [
            ("always_on", None, [true, true, true]),
            ("always_off", None, [false, false, false]),
            ("traceidratio", Some("0.5"), [true, false, true]),
            ("parentbased_always_on", None, [true, true, false]),
            ("parentbased_always_off", None, [false, false, false]),
            ("parentbased_traceidratio", Some("0.5"), [true, false, false]),
            ("traceidratio", None, [true, true, true]),
            ("traceidratio", Some("0"), [false, false, false]),
        ];
        for (name, ratio, expected) in rows {
            let sampler = Sampler::parse(name, ratio).unwrap();
            let taken = [sampler.takes(low, None), sampler.takes(high, None), sampler.takes(low, Some(false))];
            assert_eq!(taken, expected, "{name} {ratio:?}");
        }
        assert!(Sampler::parse("parentbased_always_off", None).unwrap().takes(high, Some(true)));
    }

    #[test]
    fn what_is_no_sampler_is_refused() {
        for (name, ratio) in [("sometimes", None), ("traceidratio", Some("1.5")), ("traceidratio", Some("half"))] {
            assert!(Sampler::parse(name, ratio).is_err(), "{name} {ratio:?}");
        }
    }
}
