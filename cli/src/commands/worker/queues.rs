//! Which queues a worker serves, and how they share its places: `ledger:3,accounts`.

use std::fmt;
use std::str::FromStr;

use jobs::QUEUES;
use queue::backend::ConsumerConfig;

/// Queues whose jobs wait for other machines most of the time, and hold no connection meanwhile.
const OUTWARD: [&str; 2] = [jobs::WEBHOOKS_QUEUE, jobs::MIRROR_QUEUE];
/// How many connections all jobs of one of these share.
const CONNECTIONS_OUTWARD: u32 = 2;
/// The highest weight.
const WEIGHT_MAX: u32 = 1_000;

/// Queues with their weights; none means all, each with places of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Queues(Vec<(String, Option<u32>)>);

impl Queues {
    /// Has the consumer serve these.
    pub(crate) fn apply(&self, mut consumer: ConsumerConfig) -> ConsumerConfig {
        consumer.queues = self.0.iter().map(|(name, _)| name.clone()).collect();
        if self.is_weighted() {
            consumer.concurrency_of_all = Some(consumer.concurrency);
            let weights = self.0.iter().filter_map(|(name, weight)| Some((name.clone(), (*weight)?)));
            consumer.weights = weights.collect();
        }
        consumer
    }

    /// How many connections to the database the runs with this concurrency have at once: one each, but few where they wait for
    /// others most of the time.
    pub(crate) fn connections(&self, concurrency: u16) -> u32 {
        let names = || self.0.iter().map(|(name, _)| name.as_str());
        let is_outward = |name: &&str| OUTWARD.contains(name);
        let (queues, outward) = match self.0.len() {
            0 => (QUEUES.len() - OUTWARD.len(), OUTWARD.len()),
            _ if self.is_weighted() => (1, 0),
            some => (some - names().filter(is_outward).count(), names().filter(is_outward).count()),
        };
        u32::from(concurrency) * queues as u32 + CONNECTIONS_OUTWARD * outward as u32
    }

    fn is_weighted(&self) -> bool {
        self.0.iter().any(|(_, weight)| weight.is_some())
    }
}

impl FromStr for Queues {
    type Err = String;

    fn from_str(text: &str) -> Result<Queues, String> {
        let mut queues: Vec<(String, Option<u32>)> = Vec::new();
        for part in text.split(',').map(str::trim).filter(|_| !text.trim().is_empty()) {
            let (name, weight) = part.split_once(':').map_or((part, None), |(name, weight)| (name, Some(weight)));
            if !QUEUES.contains(&name) {
                return Err(format!("there is no queue `{name}`; there are {}", QUEUES.join(", ")));
            }
            if queues.iter().any(|(known, _)| known == name) {
                return Err(format!("`{name}` is named twice"));
            }
            let weight = weight.map(|weight| parse_weight(name, weight)).transpose()?;
            queues.push((name.to_owned(), weight));
        }
        Ok(Queues(queues))
    }
}

fn parse_weight(name: &str, weight: &str) -> Result<u32, String> {
    let refusal = || format!("the weight of `{name}` is a number from 1 to {WEIGHT_MAX}, not `{weight}`");
    let weight: u32 = weight.parse().map_err(|_| refusal())?;
    if (1..=WEIGHT_MAX).contains(&weight) { Ok(weight) } else { Err(refusal()) }
}

impl fmt::Display for Queues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = self.0.iter().map(|(name, weight)| match weight {
            Some(weight) => format!("{name}:{weight}"),
            None => name.clone(),
        });
        f.write_str(&parts.collect::<Vec<_>>().join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_weights_are_read_and_written() {
        for text in ["", "ledger", "ledger:3,accounts", "products:1,ledger:1000"] {
            assert_eq!(text.parse::<Queues>().unwrap().to_string(), text);
        }
        assert_eq!(" ledger , accounts:2".parse::<Queues>().unwrap().to_string(), "ledger,accounts:2");
    }

    #[test]
    fn what_is_wrong_is_refused_by_name() {
        let unknown = |name: &str| format!("there is no queue `{name}`; there are {}", jobs::QUEUES.join(", "));
        assert_eq!("leger".parse::<Queues>().unwrap_err(), unknown("leger"));
        assert_eq!("ledger,".parse::<Queues>().unwrap_err(), unknown(""));
        for (text, refusal) in [
            ("ledger:0", "the weight of `ledger` is a number from 1 to 1000, not `0`"),
            ("ledger:1001", "the weight of `ledger` is a number from 1 to 1000, not `1001`"),
            ("ledger:-1", "the weight of `ledger` is a number from 1 to 1000, not `-1`"),
            ("ledger:", "the weight of `ledger` is a number from 1 to 1000, not ``"),
            ("ledger,ledger:2", "`ledger` is named twice"),
        ] {
            assert_eq!(text.parse::<Queues>().unwrap_err(), refusal);
        }
    }

    #[test]
    fn queues_with_weights_share_the_places() {
        let of = |text: &str| text.parse::<Queues>().unwrap().connections(8);
        assert_eq!((of(""), of("ledger"), of("ledger,accounts"), of("ledger:2,accounts")), (28, 8, 16, 8));
        assert_eq!((of("webhooks"), of("mirror,ledger")), (2, 10));
    }
}
