//! Metrics: how one is defined, described and registered, and the table of the queue's own.
//!
//! A metric is a constant; docs/METRICS.md has all of them, and a test compares the two. Every series is registered at
//! the start, at 0, for each value of its labels: an alert on a counter that does not exist yet would never fire.

pub mod process;
mod table;

use std::collections::BTreeSet;
use std::sync::OnceLock;

use metrics::{Label, SharedString};
use sqlx::PgPool;

pub(crate) use self::table::*;
pub use self::table::{METRICS, register, register_enqueuer, register_supervisor};

/// What a metric's values mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricType {
    /// Only rises.
    Counter,
    /// Rises and falls.
    Gauge,
    /// A distribution.
    Histogram,
}

/// One metric, as Prometheus shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// The name, with its unit.
    pub name: &'static str,
    /// What its values mean.
    pub kind: MetricType,
    /// The unit of its values.
    pub unit: metrics::Unit,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it tells, in a sentence.
    pub help: &'static str,
}

/// A counter of things.
pub const fn counter(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: MetricType::Counter, unit: metrics::Unit::Count, labels, help }
}

/// A gauge of things.
pub const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: MetricType::Gauge, unit: metrics::Unit::Count, labels, help }
}

/// A gauge of seconds: an age, or seconds since 1970.
pub const fn gauge_seconds(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: MetricType::Gauge, unit: metrics::Unit::Seconds, labels, help }
}

/// A distribution of seconds.
pub const fn seconds(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: MetricType::Histogram, unit: metrics::Unit::Seconds, labels, help }
}

/// A distribution of how many at once.
pub const fn sizes(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: MetricType::Histogram, unit: metrics::Unit::Count, labels, help }
}

/// The label for what is not on the list of those that are known.
pub const OTHER: &str = "other";

impl Metric {
    /// Tells the installed recorder its unit and help, and makes its series at 0: one for each combination of these
    /// values of its labels, in their order.
    ///
    /// # Panics
    /// When there are not as many lists of values as labels.
    pub fn register(&self, values: &[&[&str]]) {
        assert_eq!(values.len(), self.labels.len(), "{}: a list of values for each label", self.name);
        self.describe();
        let mut series: Vec<Vec<Label>> = vec![Vec::new()];
        for (name, values) in self.labels.iter().zip(values) {
            let with = |labels: &Vec<Label>, value: &str| {
                let label = Label::new(*name, value.to_owned());
                labels.iter().cloned().chain([label]).collect::<Vec<_>>()
            };
            series = series.iter().flat_map(|labels| values.iter().map(move |value| with(labels, value))).collect();
        }
        for labels in series {
            match self.kind {
                MetricType::Counter => metrics::counter!(self.name, labels).increment(0),
                MetricType::Gauge => metrics::gauge!(self.name, labels).increment(0.0),
                MetricType::Histogram => drop(metrics::histogram!(self.name, labels)),
            }
        }
    }

    /// Tells the installed recorder its unit and help.
    pub fn describe(&self) {
        match self.kind {
            MetricType::Counter => metrics::describe_counter!(self.name, self.unit, self.help),
            MetricType::Gauge => metrics::describe_gauge!(self.name, self.unit, self.help),
            MetricType::Histogram => metrics::describe_histogram!(self.name, self.unit, self.help),
        }
    }
}

/// The kinds that this process may name in a label.
static KINDS: OnceLock<BTreeSet<&'static str>> = OnceLock::new();

/// Says once which kinds of job a label may name; any other one is [`OTHER`] from then on. Whoever says nothing, such
/// as a test, has them all named.
pub fn name_only(kinds: impl IntoIterator<Item = &'static str>) {
    KINDS.get_or_init(|| kinds.into_iter().collect());
}

/// A kind as a label.
pub(crate) fn kind_label(kind: &str) -> SharedString {
    match KINDS.get() {
        Some(kinds) => SharedString::const_str(kinds.get(kind).copied().unwrap_or(OTHER)),
        None => SharedString::from_owned(kind.to_owned()),
    }
}

/// Connections of the process's pool, by state.
pub const POOL_CONNECTIONS: Metric =
    gauge("database_pool_connections", &["state"], "Connections of this process's pool: in_use or idle.");
/// The size of the process's pool.
pub const POOL_CONNECTIONS_MAX: Metric =
    gauge("database_pool_connections_max", &[], "How many connections this process's pool may have.");

/// Makes the series of a process's pool.
pub fn register_pool() {
    POOL_CONNECTIONS.register(&[&["in_use", "idle"]]);
    POOL_CONNECTIONS_MAX.register(&[]);
}

/// Takes down how much of a pool is in use; for whoever renders a page.
pub fn measure_pool(pool: &PgPool) {
    let idle = u32::try_from(pool.num_idle()).unwrap_or(u32::MAX);
    let in_use = pool.size().saturating_sub(idle);
    metrics::gauge!(POOL_CONNECTIONS.name, "state" => "in_use").set(in_use);
    metrics::gauge!(POOL_CONNECTIONS.name, "state" => "idle").set(idle);
    metrics::gauge!(POOL_CONNECTIONS_MAX.name).set(pool.options().get_max_connections());
}

#[cfg(test)]
mod tests {
    use super::{METRICS, MetricType};

    #[test]
    fn names_follow_the_conventions_of_prometheus() {
        for metric in METRICS {
            assert!(metric.name.starts_with("queue_"), "{}", metric.name);
            assert_eq!(metric.name.ends_with("_total"), metric.kind == MetricType::Counter, "{}", metric.name);
            assert_eq!(metric.name.ends_with("_seconds"), metric.unit == metrics::Unit::Seconds, "{}", metric.name);
            assert!(metric.help.ends_with('.'), "{}", metric.name);
        }
    }
}
