//! I7: whoever has lost a job writes nothing about it any more.
//!
//! - An effect that was committed is of the claim under which the job succeeded.
//! - Progress was reported by the claim that was in force.
//! - An outcome is that of the run it is recorded for: a run of that claim had ended so before it was recorded.
//! - While a run is under way, its claim ends only by the end of its lease. If it ended otherwise, somebody else's
//!   outcome was taken for it. A run is under way from when it was begun until it was ended or its process was gone.
//!
//! A lease that was declared lost may still settle a job that was not taken from it yet: the fence is the job's row.

use std::collections::HashMap;

use uuid::Uuid;

use super::{Check, Findings};
use crate::history::event::How;
use crate::history::facts::{History, JobRow, State};

pub(super) const CHECK: Check = Check { invariant: "I7 a lost lease writes nothing", run: check };

fn check(history: &History<'_>, findings: &mut Findings) {
    let settled: HashMap<Uuid, (i32, Option<Uuid>)> =
        history.facts.rows.iter().map(|row| (row.id, (row.epoch, row.process))).collect();
    for effect in &history.facts.effects {
        let by = (effect.claim.epoch, Some(effect.claim.owner));
        if settled.get(&effect.job).is_some_and(|settled| *settled != by) {
            findings.job(effect.job, format!("was settled by {:?}, its effect is of {by:?}", settled[&effect.job]));
        }
    }
    for report in history.facts.reports.iter().filter(|report| report.holder != report.reporter) {
        findings.job(report.job, format!("was held by {:?} when {:?} reported", report.holder, report.reporter));
    }
    history.facts.rows.iter().for_each(|row| outcome(history, row, findings));
    history.runs.values().flatten().for_each(|run| {
        let Some(end) = history.spans.get(&(run.job, run.claim)).and_then(|span| span.ended) else { return };
        let is_under_way = run.begun_us < end.at_us && end.at_us < run.until_us;
        if is_under_way && !history.is_over(run.claim.owner, end) {
            findings.job(run.job, format!("was taken from {:?}, which was running it under a live lease", run.claim));
        }
    });
}

/// An outcome that only a job can decide on was decided by a run of the claim that it is recorded for.
fn outcome(history: &History<'_>, row: &JobRow, findings: &mut Findings) {
    let how = match row.state {
        State::Succeeded => How::Succeeded,
        State::Discarded => How::Discard,
        State::Cancelled => How::Cancel,
        State::Live | State::Dead => return,
    };
    let runs = history.runs.get(&row.id).map_or(&[][..], Vec::as_slice);
    let is_of_claim =
        |claim: &crate::history::event::Claim| (claim.epoch, Some(claim.owner)) == (row.epoch, row.process);
    let decided =
        runs.iter().any(|run| is_of_claim(&run.claim) && run.how == Some(how) && run.until_us <= row.ended_us);
    if !decided {
        let by = (row.epoch, row.process);
        findings.job(row.id, format!("is {:?} by {by:?}, no run of which had ended so by then", row.state));
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{good, reds};
    use super::*;
    use crate::history::event::What;

    #[test]
    fn an_effect_of_a_former_holder() {
        let mut facts = good();
        facts.effects[0].claim.epoch -= 1;
        assert!(reds(&facts).contains(CHECK.invariant));
    }

    #[test]
    fn progress_of_a_former_holder() {
        let mut facts = good();
        facts.reports[0].reporter.0 -= 1;
        assert!(reds(&facts).contains(CHECK.invariant));
    }

    #[test]
    fn an_outcome_that_the_run_had_not_come_to() {
        let mut facts = good();
        facts.rows[0].ended_us -= 2_000;
        assert!(reds(&facts).contains(CHECK.invariant));
        let mut facts = good();
        for event in &mut facts.events {
            if let What::Ended { how, .. } = &mut event.what {
                *how = How::Snooze;
            }
        }
        assert!(reds(&facts).contains(CHECK.invariant));
    }

    #[test]
    fn a_claim_that_ended_under_a_run_with_a_live_lease() {
        let mut facts = good();
        facts.leases[0].lost = None;
        facts.leases[0].gone = None;
        assert!(reds(&facts).contains(CHECK.invariant));
    }
}
