//! Choices of which a few are popular, as accounts are: Zipf's law with exponent 1.

/// Chooses numbers from 0 to n − 1; the chance of number k is proportional to 1 / (k + 1). A seed repeats the choices.
#[derive(Debug, Clone)]
pub(crate) struct Zipf {
    /// Chances of all up to each, which end at 1.
    cumulative: std::sync::Arc<[f64]>,
    state: u64,
}

impl Zipf {
    /// Choices among `n`, above 0.
    pub(crate) fn new(n: usize, seed: u64) -> Zipf {
        let mut sum = 0.0;
        let mut cumulative: Vec<f64> = (1..=n)
            .map(|rank| {
                sum += 1.0 / rank as f64;
                sum
            })
            .collect();
        cumulative.iter_mut().for_each(|value| *value /= sum);
        Zipf { cumulative: cumulative.into(), state: seed }
    }

    /// The same chances, other choices.
    pub(crate) fn with_seed(&self, seed: u64) -> Zipf {
        Zipf { cumulative: self.cumulative.clone(), state: seed }
    }

    /// The next choice.
    pub(crate) fn next(&mut self) -> usize {
        // SplitMix64 (Steele, Lea and Flood, 2014); 53 bits make a number below 1.
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let chance = ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64;
        self.cumulative.partition_point(|value| *value <= chance).min(self.cumulative.len() - 1)
    }

    /// The next two choices that differ; there have to be at least two to choose from.
    pub(crate) fn next_pair(&mut self) -> (usize, usize) {
        let one = self.next();
        loop {
            let other = self.next();
            if other != one {
                return (one, other);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_chosen_as_often_as_the_law_says() {
        let mut zipf = Zipf::new(10_000, 1);
        let firsts = (0..100_000).filter(|_| zipf.next() == 0).count();
        // The sum of 1/k up to 10,000 is 9.79, so the first gets 10.2 % of all.
        assert!((9_900..10_600).contains(&firsts), "{firsts}");
        assert!((0..1_000).all(|_| {
            let (one, other) = zipf.next_pair();
            one != other && one < 10_000 && other < 10_000
        }));
    }
}
