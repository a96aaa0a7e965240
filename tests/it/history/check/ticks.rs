//! I9: a tick of a schedule enqueues at most one job.
//!
//! Whatever became of the job, its row says which tick of which schedule it is for.

use std::collections::HashMap;

use super::{Check, Findings};
use crate::history::facts::History;

pub(super) const CHECK: Check = Check { invariant: "I9 a tick enqueues at most once", run: check };

fn check(history: &History<'_>, findings: &mut Findings) {
    let mut first = HashMap::new();
    for row in &history.facts.rows {
        let Some(tick) = &row.told.tick else { continue };
        if let Some(other) = first.insert(tick, row.id).filter(|other| *other != row.id) {
            findings.job(row.id, format!("is for {tick:?}, and so is {other}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{good, reds};
    use super::*;

    #[test]
    fn two_jobs_of_one_tick() {
        let mut facts = good();
        facts.rows[0].told.tick = Some(("hourly".to_owned(), 3_600));
        facts.rows[1].told.tick = Some(("hourly".to_owned(), 7_200));
        assert!(!reds(&facts).contains(CHECK.invariant));
        facts.rows[1].told.tick = Some(("hourly".to_owned(), 3_600));
        assert!(reds(&facts).contains(CHECK.invariant));
    }
}
