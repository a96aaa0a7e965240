//! A history in which all is well, for tests of the checks to spoil: each must go red for its own fault.
//!
//! The first job is begun by A, whose lease runs out; B takes it and completes it while A, a zombie, still runs it.
//! The second job is enqueued after that and completed by B.

#![cfg(test)]

use std::collections::HashSet;

use uuid::Uuid;

use super::super::event::{Claim, Event, How, What};
use super::super::facts::{Effect, Facts, JobRow, Lease, Lost, Report, Span, SpanEnd, State};
use super::super::jobs::{Act, Told};
use super::violations;

/// The processes' numbers.
const ENQUEUER: i32 = 1;
const A: i32 = 2;
const B: i32 = 3;

pub(super) fn good() -> Facts {
    let (first, second) = (Uuid::from_u128(101), Uuid::from_u128(102));
    let (lease_a, lease_b) = (Uuid::from_u128(201), Uuid::from_u128(202));
    let by_a = Claim { epoch: 1, owner: lease_a, at_us: 1_000 };
    let by_b = Claim { epoch: 3, owner: lease_b, at_us: 6_000 };
    let of_second = Claim { epoch: 1, owner: lease_b, at_us: 20_000 };
    let told = Told::to(Act::Write);
    let invoked = |id| What::Invoked(vec![(id, told.clone())]);
    let begun = |job, claim| What::Begun { job, attempt: 1, claim };
    let ended = |job, claim| What::Ended { job, claim, how: How::Succeeded };
    let events = [
        (100, ENQUEUER, invoked(first)),
        (200, ENQUEUER, What::Acknowledged(vec![first])),
        (2_000, A, begun(first, by_a)),
        (7_000, B, begun(first, by_b)),
        (8_000, B, ended(first, by_b)),
        (9_000, A, ended(first, by_a)),
        (10_000, ENQUEUER, invoked(second)),
        (11_000, ENQUEUER, What::Acknowledged(vec![second])),
        (21_000, B, begun(second, of_second)),
        (22_000, B, ended(second, of_second)),
    ];
    let row = |id, claim: Claim, ended_us| JobRow {
        id,
        state: State::Succeeded,
        epoch: claim.epoch,
        process: Some(claim.owner),
        ended_us,
        told: Told { claim: Some(claim), ..told.clone() },
    };
    let span = |job, claim, at_us, xid| Span { job, claim, ended: Some(SpanEnd { at_us, xid }) };
    let holder = (by_b.epoch, by_b.owner);
    Facts {
        events: events.into_iter().map(|(at_us, pid, what)| Event { at_us, pid, what }).collect(),
        rows: vec![row(first, by_b, 8_500), row(second, of_second, 22_500)],
        effects: vec![Effect { job: first, claim: by_b }, Effect { job: second, claim: of_second }],
        spans: vec![span(first, by_a, 5_000, 2), span(first, by_b, 8_500, 3), span(second, of_second, 22_500, 4)],
        reports: vec![Report { job: first, holder, reporter: holder }],
        leases: vec![
            Lease {
                process: lease_a,
                lost: Some(Lost { at_us: 4_500, expired_us: 4_000 }),
                gone: Some(SpanEnd { at_us: 5_000, xid: 2 }),
            },
            Lease { process: lease_b, lost: None, gone: None },
        ],
    }
}

/// The invariants that are broken.
pub(super) fn reds(facts: &Facts) -> HashSet<&'static str> {
    violations(facts).into_iter().map(|violation| violation.invariant).collect()
}

#[test]
fn nothing_is_wrong_with_it() {
    assert_eq!(violations(&good()), []);
}
