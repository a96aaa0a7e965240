//! A Bloom filter of a commit's topics: what a replay skips without reading it.
//!
//! It may say yes where there is nothing (about one time in eighty), and never no where there is something.

/// Bits for each topic.
const BITS_PER_TOPIC: usize = 10;
/// Bits that each topic sets; `app.read_events` looks at as many.
const HASHES: u32 = 4;

/// The two halves of a topic's hash (64-bit FNV-1a): the bits that it sets are `first + i * second`, modulo their number.
pub fn hash(topic: &str) -> (u32, u32) {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = topic.bytes().fold(0xcbf2_9ce4_8422_2325, step);
    // Short texts that differ at their end leave the upper half alike without this.
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    ((hash >> 32) as u32, hash as u32 | 1)
}

/// The filter of these topics.
pub fn of<'a>(topics: impl Iterator<Item = &'a String>) -> Vec<u8> {
    let hashes: Vec<(u32, u32)> = topics.map(|topic| hash(topic)).collect();
    let mut filter = vec![0; (hashes.len() * BITS_PER_TOPIC).div_ceil(8)];
    let size = filter.len() as u64 * 8;
    for bit in hashes.into_iter().flat_map(|hash| bits(hash, size)) {
        filter[(bit / 8) as usize] |= 1 << (bit % 8);
    }
    filter
}

/// Which bits a topic sets in a filter of so many.
fn bits((first, second): (u32, u32), size: u64) -> Vec<u64> {
    (0..HASHES).map(|i| (u64::from(first) + u64::from(i) * u64::from(second)) % size).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_has_what_went_in_and_little_else() {
        let topics: Vec<String> = (0..1_000).map(|n| format!("user:{n}")).collect();
        let filter = of(topics.iter());
        let has = |topic: &str| {
            let mut bits = bits(hash(topic), filter.len() as u64 * 8).into_iter();
            bits.all(|bit| filter[(bit / 8) as usize] >> (bit % 8) & 1 == 1)
        };
        assert!(topics.iter().all(|topic| has(topic)));
        let wrong = (0..10_000).filter(|n| has(&format!("user:not-{n}"))).count();
        assert!(wrong < 300, "{wrong} of 10,000 that are not there");
        assert_eq!(of([].iter()), Vec::<u8>::new());
    }
}
