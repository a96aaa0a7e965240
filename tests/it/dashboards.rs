//! What operators watch: the dashboards, the rules and the runbooks are whole, and work with a real Prometheus.

mod expr;
mod generate;
mod lint;
mod live;
mod load;
mod outside;
mod prometheus;
mod promtool;
mod rules;
mod schema;
mod source;
