//! Jobs of one sequence run in the order in which they come due, each when the one before has ended.
//!
//! One job is before another when it was due at once, and its enqueuing was acknowledged before that of the other was
//! begun, or it stands before it in one call. A job that was enqueued for later holds up nobody until it is due. Between enqueuers that were at it at the same time there is no order to keep. Only runs of
//! claims that the database knows count (see I8).

use std::collections::HashMap;

use uuid::Uuid;

use super::{Check, Findings};
use crate::history::event::What;
use crate::history::facts::{History, State};

pub(super) const CHECK: Check = Check { invariant: "jobs of a sequence run in order", run: check };

/// A job of a sequence: when its enqueuing was begun and acknowledged, and its place in its call.
struct Member {
    id: Uuid,
    invoked_us: i64,
    acknowledged_us: i64,
    place: usize,
    is_due_at_once: bool,
}

impl Member {
    /// When those after it may begin.
    fn frees_us(&self, history: &History<'_>) -> i64 {
        if self.is_due_at_once { ended_us(history, self.id) } else { 0 }
    }
}

fn check(history: &History<'_>, findings: &mut Findings) {
    for members in sequences(history).into_values() {
        // Who is before whom is known from the latest end among all that were acknowledged by then.
        let mut by_answer: Vec<&Member> = members.iter().collect();
        by_answer.sort_by_key(|member| (member.acknowledged_us, member.place));
        let (mut next, mut last): (usize, Option<(i64, Uuid)>) = (0, None);
        let mut by_call: Vec<&Member> = members.iter().collect();
        by_call.sort_by_key(|member| (member.invoked_us, member.place));
        let mut in_call: Option<(i64, i64, Uuid)> = None;
        for member in by_call {
            while next < by_answer.len() && by_answer[next].acknowledged_us < member.invoked_us {
                last = last.max(Some((by_answer[next].frees_us(history), by_answer[next].id)));
                next += 1;
            }
            let neighbour = in_call.filter(|(invoked_us, ..)| *invoked_us == member.invoked_us);
            let before = last.max(neighbour.map(|(_, ended_us, id)| (ended_us, id)));
            if let Some((ended_us, id)) = before.filter(|(ended_us, _)| begun_us(history, member.id) < *ended_us) {
                findings.job(member.id, format!("was begun before {id} had ended, {ended_us}, which is before it"));
            }
            let ended_us = member.frees_us(history).max(neighbour.map_or(0, |(_, ended_us, _)| ended_us));
            in_call = Some((member.invoked_us, ended_us, member.id));
        }
    }
}

fn sequences(history: &History<'_>) -> HashMap<String, Vec<Member>> {
    let mut invoked = HashMap::new();
    let mut sequences: HashMap<String, Vec<Member>> = HashMap::new();
    for event in &history.facts.events {
        match &event.what {
            What::Invoked(jobs) => {
                for (place, (id, told)) in jobs.iter().enumerate() {
                    if let Some(key) = &told.sequence {
                        invoked.insert(*id, (key.clone(), event.at_us, place, told.delay_ms == 0));
                    }
                }
            }
            What::Acknowledged(ids) => {
                for id in ids {
                    let Some((key, invoked_us, place, is_due_at_once)) = invoked.remove(id) else { continue };
                    let member = Member { id: *id, invoked_us, acknowledged_us: event.at_us, place, is_due_at_once };
                    sequences.entry(key).or_default().push(member);
                }
            }
            _ => {}
        }
    }
    sequences
}

/// When it was first begun; for ever later, if it never was.
fn begun_us(history: &History<'_>, id: Uuid) -> i64 {
    let runs = history.runs.get(&id).into_iter().flatten().filter(|run| !history.is_undone(run));
    runs.map(|run| run.begun_us).min().unwrap_or(i64::MAX)
}

/// When it ended; for ever later, if it is live.
fn ended_us(history: &History<'_>, id: Uuid) -> i64 {
    let rows = history.rows.get(&id).into_iter().flatten();
    rows.map(|row| if row.state == State::Live { i64::MAX } else { row.ended_us }).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::sample::{good, reds};
    use super::*;
    use crate::history::facts::Facts;

    /// Both jobs in one sequence.
    fn in_sequence() -> Facts {
        let mut facts = good();
        for event in &mut facts.events {
            if let What::Invoked(jobs) = &mut event.what {
                jobs.iter_mut().for_each(|(_, told)| told.sequence = Some("key".to_owned()));
            }
        }
        facts
    }

    #[test]
    fn the_later_one_waits_for_the_end_of_the_earlier_one() {
        let mut facts = in_sequence();
        assert!(!reds(&facts).contains(CHECK.invariant));
        facts.rows[0].ended_us += 1_000_000;
        assert!(reds(&facts).contains(CHECK.invariant));
    }

    #[test]
    fn a_job_for_later_holds_up_nobody() {
        let mut facts = in_sequence();
        let first = facts.rows[0].id;
        facts.rows[0].ended_us += 1_000_000;
        for event in &mut facts.events {
            if let What::Invoked(jobs) = &mut event.what {
                jobs.iter_mut().filter(|(id, _)| *id == first).for_each(|(_, told)| told.delay_ms = 1);
            }
        }
        assert!(!reds(&facts).contains(CHECK.invariant));
    }

    #[test]
    fn the_order_within_a_call_counts() {
        let mut facts = in_sequence();
        let (first, second) = (facts.rows[0].id, facts.rows[1].id);
        facts.events.retain(|event| !matches!(&event.what, What::Invoked(_) | What::Acknowledged(_)));
        let told =
            |id| (id, crate::history::jobs::Told { sequence: Some("key".to_owned()), ..facts.rows[0].told.clone() });
        let event = |at_us, what| crate::history::event::Event { at_us, pid: 1, what };
        facts.events.insert(0, event(0, What::Invoked(vec![told(first), told(second)])));
        facts.events.insert(1, event(1, What::Acknowledged(vec![first, second])));
        assert!(!reds(&facts).contains(CHECK.invariant));
        facts.events[0].what = What::Invoked(vec![told(second), told(first)]);
        assert!(reds(&facts).contains(CHECK.invariant));
    }
}
