//! No more jobs of a limit and key are claimed at once than the limit allows.
//!
//! A claim is in force from when it is made until it ends, both by the database's clock and stamped within their
//! transactions. A claim that takes a free place comes after the end that made it free was committed, so what overlaps
//! here did overlap. A claim that a crash undid is in no one's way, as the queue sees it.

use std::collections::HashMap;

use super::{Check, Findings};
use crate::history::facts::History;
use crate::history::jobs::Limit;

pub(super) const CHECK: Check = Check { invariant: "no more at once than the limit", run: check };

fn check(history: &History<'_>, findings: &mut Findings) {
    let mut changes: HashMap<&Limit, Vec<(i64, i64, uuid::Uuid)>> = HashMap::new();
    for span in &history.facts.spans {
        let limit = history.rows.get(&span.job).and_then(|rows| rows[0].told.limit.as_ref());
        let Some(limit) = limit else { continue };
        let changes = changes.entry(limit).or_default();
        changes.push((span.claim.at_us, 1, span.job));
        changes.extend(span.ended.map(|end| (end.at_us, -1, span.job)));
    }
    for (limit, mut changes) in changes {
        // At the same time, what ends comes first.
        changes.sort_unstable();
        let mut claimed = 0;
        for (at_us, change, job) in changes {
            claimed += change;
            if change > 0 && claimed > limit.max as i64 {
                findings.job(job, format!("was the {claimed}th of {limit:?} at {at_us}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{good, reds};
    use super::*;

    #[test]
    fn one_too_many() {
        let limited = |max| {
            let mut facts = good();
            let limit = Limit { name: "bank".to_owned(), key: "key".to_owned(), max };
            facts.rows.iter_mut().for_each(|row| row.told.limit = Some(limit.clone()));
            // The second job's claim begins while that of the first is in force.
            facts.spans[2].claim.at_us = facts.spans[0].claim.at_us + 1;
            facts
        };
        assert!(!reds(&limited(2)).contains(CHECK.invariant));
        assert!(reds(&limited(1)).contains(CHECK.invariant));
    }
}
