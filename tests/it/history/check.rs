//! The invariants, each a check over the whole history; to add one, add its file here and to [`CHECKS`].
//!
//! A check may not raise a false alarm, whatever the timing, so each file says what it compares and why that is sound.
//! All times are of one clock (see [`Event`](super::event::Event)). What a run writes down happens in this order: the
//! claim is made, the run is begun, it is ended, its outcome is settled. The first and the last are stamped within
//! their transactions, so before they are visible to anybody else. (Somebody who sets the machine's clock back during a
//! run makes nonsense of it.)

mod exclusive;
mod fenced;
mod kept;
mod limits;
mod once;
mod order;
mod sample;
mod ticks;

use uuid::Uuid;

use super::facts::{Facts, History};

/// One thing that must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Violation {
    pub(super) invariant: &'static str,
    pub(super) job: Option<Uuid>,
    pub(super) text: String,
}

/// Where a check puts what it finds.
pub(super) struct Findings {
    invariant: &'static str,
    found: Vec<Violation>,
}

impl Findings {
    fn job(&mut self, job: Uuid, text: impl Into<String>) {
        self.found.push(Violation { invariant: self.invariant, job: Some(job), text: text.into() });
    }

    fn general(&mut self, text: impl Into<String>) {
        self.found.push(Violation { invariant: self.invariant, job: None, text: text.into() });
    }
}

/// One invariant.
pub(super) struct Check {
    invariant: &'static str,
    run: fn(&History<'_>, &mut Findings),
}

const CHECKS: [Check; 7] =
    [kept::CHECK, once::CHECK, fenced::CHECK, exclusive::CHECK, ticks::CHECK, order::CHECK, limits::CHECK];

/// Everything that breaks an invariant.
pub(super) fn violations(facts: &Facts) -> Vec<Violation> {
    let history = History::of(facts);
    let run = |check: &Check| {
        let mut findings = Findings { invariant: check.invariant, found: Vec::new() };
        (check.run)(&history, &mut findings);
        findings.found
    };
    CHECKS.iter().flat_map(run).collect()
}
