//! I1: what was accepted is kept, and comes to an end; what was refused does not exist.
//!
//! Accepted means that the commit of the enqueuing transaction was answered. Of a commit without an answer nothing is
//! asked. The checker looks when everything has been healed and the queue has had the time to run dry, so a job that
//! is live by then is stuck.

use std::collections::HashSet;

use super::{Check, Findings};
use crate::history::event::What;
use crate::history::facts::{History, State};

pub(super) const CHECK: Check = Check { invariant: "I1 accepted means kept", run: check };

fn check(history: &History<'_>, findings: &mut Findings) {
    let mut invoked = HashSet::new();
    for event in &history.facts.events {
        match &event.what {
            What::Invoked(jobs) => invoked.extend(jobs.iter().map(|(id, _)| *id)),
            What::Acknowledged(ids) => {
                for id in ids.iter().filter(|id| !history.rows.contains_key(id)) {
                    findings.job(*id, "was accepted, and is nowhere");
                }
            }
            What::Refused(ids) => {
                for id in ids.iter().filter(|id| history.rows.contains_key(id)) {
                    findings.job(*id, "was refused, and is there");
                }
            }
            _ => {}
        }
    }
    for row in &history.facts.rows {
        if row.state == State::Live {
            findings.job(row.id, "did not come to an end");
        }
        // Jobs that were enqueued by a job, or by a schedule, are asked for elsewhere.
        if row.told.parent.is_none() && row.told.tick.is_none() && !invoked.contains(&row.id) {
            findings.job(row.id, "is there, and nobody enqueued it");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{good, reds};
    use super::*;

    #[test]
    fn a_job_that_was_accepted_and_vanished() {
        let mut facts = good();
        facts.rows.remove(0);
        assert!(reds(&facts).contains(CHECK.invariant));
    }

    #[test]
    fn a_job_that_was_refused_and_is_there() {
        let mut facts = good();
        let id = facts.rows[0].id;
        for event in &mut facts.events {
            if event.what == What::Acknowledged(vec![id]) {
                event.what = What::Refused(vec![id]);
            }
        }
        assert!(reds(&facts).contains(CHECK.invariant));
    }

    #[test]
    fn a_job_that_is_stuck() {
        let mut facts = good();
        facts.rows[0].state = State::Live;
        assert!(reds(&facts).contains(CHECK.invariant));
    }
}
