//! I2: a job ends once, and its effect is there exactly once if it succeeded, and not at all otherwise.
//!
//! The effect of a job is a row that it writes in its own transaction, or the job that it enqueues in it. What a job
//! does outside the database happens at least once: under the claim whose success was recorded.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::{Check, Findings};
use crate::history::event::What;
use crate::history::facts::{History, JobRow, State};
use crate::history::jobs::Act;

pub(super) const CHECK: Check = Check { invariant: "I2 effect exactly once", run: check };

fn check(history: &History<'_>, findings: &mut Findings) {
    let mut effects: HashMap<Uuid, usize> = HashMap::new();
    history.facts.effects.iter().for_each(|effect| *effects.entry(effect.job).or_default() += 1);
    let mut children: HashMap<Uuid, usize> = HashMap::new();
    history.facts.rows.iter().filter_map(|row| row.told.parent).for_each(|id| *children.entry(id).or_default() += 1);
    let did = history.facts.events.iter().filter_map(|event| match event.what {
        What::Did { job, claim } => Some((job, claim.epoch, claim.owner)),
        _ => None,
    });
    let did: HashSet<(Uuid, i32, Uuid)> = did.collect();
    for (id, rows) in &history.rows {
        if rows.len() > 1 {
            findings.job(*id, format!("has ended {} times: {rows:?}", rows.len()));
        }
        let row = rows[0];
        let is_done = row.state == State::Succeeded;
        let expected = usize::from(is_done && row.told.act.writes());
        let found = effects.remove(id).unwrap_or_default();
        if found != expected {
            findings.job(*id, format!("is {:?} and has had {found} effects, not {expected}", row.state));
        }
        let expected = usize::from(is_done && row.told.act == Act::FollowUp);
        let found = children.remove(id).unwrap_or_default();
        if found != expected {
            findings.job(*id, format!("is {:?} and has enqueued {found} jobs, not {expected}", row.state));
        }
        let is_said = |row: &JobRow| row.process.is_some_and(|process| did.contains(&(row.id, row.epoch, process)));
        if is_done && row.told.act == Act::Do && !is_said(row) {
            findings.job(*id, "succeeded under a claim under which nothing was done");
        }
    }
    for (id, number) in effects.into_iter().chain(children) {
        findings.job(id, format!("is nowhere, and has had {number} effects"));
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{good, reds};
    use super::*;

    #[test]
    fn an_effect_that_happened_twice_or_never() {
        let mut twice = good();
        twice.effects.push(twice.effects[0]);
        assert!(reds(&twice).contains(CHECK.invariant));
        let mut never = good();
        never.effects.clear();
        assert!(reds(&never).contains(CHECK.invariant));
    }

    #[test]
    fn a_job_that_ended_twice() {
        let mut facts = good();
        facts.rows.push(facts.rows[0].clone());
        assert!(reds(&facts).contains(CHECK.invariant));
    }

    #[test]
    fn an_effect_of_a_job_that_did_not_succeed() {
        let mut facts = good();
        facts.rows[0].state = State::Discarded;
        assert!(reds(&facts).contains(CHECK.invariant));
    }

    #[test]
    fn a_follow_up_without_its_parents_success() {
        let mut facts = good();
        facts.rows[1].told.parent = Some(facts.rows[0].id);
        assert!(reds(&facts).contains(CHECK.invariant));
    }

    #[test]
    fn a_success_of_a_job_that_did_nothing() {
        let mut facts = good();
        facts.rows[0].told.act = Act::Do;
        facts.effects.remove(0);
        assert!(reds(&facts).contains(CHECK.invariant));
    }
}
