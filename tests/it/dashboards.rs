//! What operators watch: the dashboards, the rules and the runbooks are whole, and work with a real Prometheus.

mod generate;
mod source;
