//! Random choices that a seed repeats: SplitMix64 (Steele, Lea and Flood, 2014).

/// A source of random numbers; good for choices, not for secrets.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// The source that this seed always gives.
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// A seed from the operating system.
    pub fn seed() -> u64 {
        getrandom::u64().expect("the operating system has random bytes")
    }

    /// The next number below `end`, which is above 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}
