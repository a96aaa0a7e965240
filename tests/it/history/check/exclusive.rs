//! I8: a job is run by one live lease at a time.
//!
//! - Of two runs of a job that overlap, the lease of the earlier claim was over when the later claim was made. A lease
//!   is over when somebody has declared it lost, or it was given up; both are stamped before they are visible, and the
//!   later claim comes after. Two runs of one claim never overlap.
//! - A lease is declared lost only when it had run out by the database's clock, unless somebody knew its process to be
//!   gone and said so.
//! - A run is of a claim that the database knows, or of one that a crash of the server undid. Such a claim was never
//!   on the disk: to the queue the job was free, so a run under it is nobody's, and is left out above. The fence (I2,
//!   I7) holds for it as for any other.
//!
//! A run that overlaps no other is no concern of this check, even if its lease is over: it is a former holder that has
//! not noticed yet, and it writes nothing (I7).

use std::collections::HashSet;

use uuid::Uuid;

use super::{Check, Findings};
use crate::history::event::What;
use crate::history::facts::{History, Run, SpanEnd};

pub(super) const CHECK: Check = Check { invariant: "I8 run by one live lease at a time", run: check };

fn check(history: &History<'_>, findings: &mut Findings) {
    for (job, runs) in &history.runs {
        for run in runs.iter().filter(|run| !history.spans.contains_key(&(run.job, run.claim))) {
            if !history.is_undone(run) {
                findings.job(*job, format!("was run under {:?}, which the database never saw", run.claim));
            }
        }
        let known: Vec<&Run> = runs.iter().filter(|run| !history.is_undone(run)).collect();
        for (index, run) in known.iter().enumerate() {
            known[index + 1..].iter().for_each(|other| pair(history, run, other, findings));
        }
    }
    let released = history.facts.events.iter().filter_map(|event| match event.what {
        What::Released { process } => Some(process),
        _ => None,
    });
    let released: HashSet<Uuid> = released.collect();
    for lease in history.facts.leases.iter().filter(|lease| !released.contains(&lease.process)) {
        if let Some(lost) = lease.lost.filter(|lost| lost.expired_us > lost.at_us) {
            findings.general(format!("lease {} was declared lost while it was live: {lost:?}", lease.process));
        }
    }
}

fn pair(history: &History<'_>, one: &Run, other: &Run, findings: &mut Findings) {
    let overlap = one.begun_us < other.until_us && other.begun_us < one.until_us;
    if !overlap {
        return;
    }
    let (earlier, later) = if one.claim.at_us <= other.claim.at_us { (one, other) } else { (other, one) };
    let by = SpanEnd { at_us: later.claim.at_us, xid: 0 };
    if earlier.claim == later.claim {
        findings.job(one.job, format!("was run twice at once under {:?}", one.claim));
    } else if !history.is_over(earlier.claim.owner, by) {
        findings.job(one.job, format!("was run under {:?} and, at once, under {:?}", earlier.claim, later.claim));
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{good, reds};
    use super::*;

    #[test]
    fn two_runs_under_live_leases() {
        let mut facts = good();
        // The lease is lost as before, but only after the other one has claimed.
        facts.leases[0].lost =
            facts.leases[0].lost.map(|lost| crate::history::facts::Lost { at_us: lost.at_us + 1_000_000, ..lost });
        facts.leases[0].gone = None;
        assert!(reds(&facts).contains(CHECK.invariant));
    }

    #[test]
    fn two_runs_of_one_claim() {
        let mut facts = good();
        let begun = facts.events.iter().position(|event| matches!(event.what, What::Begun { .. })).unwrap();
        let again = facts.events[begun].clone();
        facts.events.insert(begun + 1, again);
        assert!(reds(&facts).contains(CHECK.invariant));
    }

    #[test]
    fn a_lease_that_is_declared_lost_too_early() {
        let mut facts = good();
        facts.leases[0].lost.as_mut().unwrap().expired_us += 1_000_000;
        assert!(reds(&facts).contains(CHECK.invariant));
    }

    #[test]
    fn a_run_without_a_claim() {
        let mut facts = good();
        facts.spans.clear();
        assert!(reds(&facts).contains(CHECK.invariant));
    }

    #[test]
    fn a_claim_that_a_crash_undid_is_none() {
        let mut facts = good();
        // The first run's claim is unknown, and the other one's lease has nothing to do with it.
        facts.spans.remove(0);
        facts.leases.remove(0);
        assert!(reds(&facts).contains(CHECK.invariant));
        facts.events.push(crate::history::event::Event { at_us: 1_000, pid: 1, what: What::Crash });
        assert!(!reds(&facts).contains(CHECK.invariant));
    }
}
