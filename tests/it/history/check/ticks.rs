//! I9: a tick of a schedule enqueues at most one job, and none is left out by a schedule that catches up with all.
//!
//! Whatever became of the job, its row says which tick of which schedule it is for.

use std::collections::{BTreeMap, HashMap};

use super::{Check, Findings};
use crate::history::facts::{History, JobRow};
use crate::history::jobs::EVERY_SECOND;

pub(super) const CHECK: Check = Check { invariant: "I9 a tick enqueues once", run: check };

fn check(history: &History<'_>, findings: &mut Findings) {
    let mut first = HashMap::new();
    for row in &history.facts.rows {
        let Some(tick) = &row.told.tick else { continue };
        if let Some(other) = first.insert(tick, row.id).filter(|other| *other != row.id) {
            findings.job(row.id, format!("is for {tick:?}, and so is {other}"));
        }
    }
    let of_second = |row: &&JobRow| matches!(&row.told.tick, Some((name, _)) if name == EVERY_SECOND);
    let of_second = history.facts.rows.iter().filter(of_second);
    let seconds: BTreeMap<i64, _> = of_second.filter_map(|row| Some((row.told.tick.as_ref()?.1, row.id))).collect();
    for ((before, _), (second, id)) in seconds.iter().zip(seconds.iter().skip(1)) {
        if *second != before + 1 {
            findings.job(*id, format!("is for the tick {second}, and the one before it is {before}"));
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

    #[test]
    fn a_tick_that_nobody_fired() {
        let mut facts = good();
        facts.rows[0].told.tick = Some((EVERY_SECOND.to_owned(), 100));
        facts.rows[1].told.tick = Some((EVERY_SECOND.to_owned(), 101));
        assert!(!reds(&facts).contains(CHECK.invariant));
        facts.rows[1].told.tick = Some((EVERY_SECOND.to_owned(), 102));
        assert!(reds(&facts).contains(CHECK.invariant));
    }
}
