//! The queue's randomness: not for secrets, and repeatable from a seed in tests.

/// A SplitMix64 generator (Steele, Lea and Flood 2014).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The sequence that belongs to this seed.
    pub const fn seeded(seed: u64) -> Random {
        Random(seed)
    }

    /// A sequence that nobody can foresee.
    pub fn from_os() -> Random {
        Random(getrandom::u64().expect("the operating system has random numbers"))
    }

    /// The next number, evenly from 0 up to but not 1.
    pub fn next_unit(&mut self) -> f64 {
        const BITS: u32 = f64::MANTISSA_DIGITS;
        (self.next() >> (u64::BITS - BITS)) as f64 / (1u64 << BITS) as f64
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn units_are_repeatable_and_in_range() {
        let (mut one, mut other) = (Random::seeded(7), Random::seeded(7));
        for _ in 0..1_000 {
            let unit = one.next_unit();
            assert!((0.0..1.0).contains(&unit));
            assert_eq!(unit, other.next_unit());
        }
    }
}
