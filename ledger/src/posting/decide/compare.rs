//! The answer for an id that is recorded: whether what is asked for now is what was asked for then.

use super::shape::in_micros;
use crate::leaf::{Leaf, LeafLeg};
use crate::posting::{Field, Leg, Outcome, Posting};
use crate::{Act, TransactionId};

/// What is answered for the id of a recorded transaction: the first field that differs, if any does.
pub(super) fn compare<'a>(
    posting: &Posting,
    leaf: &Leaf,
    find: impl FnOnce(TransactionId) -> Option<&'a Leaf>,
) -> Outcome {
    assert_eq!(posting.id, leaf.id, "a posting is compared with the transaction of its id");
    let effective_at = posting.effective_at.unwrap_or(leaf.recorded_at);
    let same_act = in_micros(posting.act) == leaf.act;
    let same_legs = match posting.act {
        // No legs are those of the hold; of another hold, or of what is no capture, the act tells the difference.
        Act::Capture(hold) if posting.legs.is_empty() => {
            !same_act || find(hold).is_some_and(|hold| hold.legs == leaf.legs)
        }
        _ => have_same_legs(&posting.legs, leaf),
    };
    let fields = [
        (Field::Code, posting.code == leaf.code),
        (Field::Legs, same_legs),
        (Field::EffectiveAt, effective_at.timestamp_micros() == leaf.effective_at.timestamp_micros()),
        (Field::Act, same_act),
        (Field::MetadataHash, posting.metadata_hash == leaf.metadata_hash),
    ];
    match fields.into_iter().find(|(_, same)| !same) {
        Some((field, _)) => Outcome::ExistsWithDifferent(field),
        None => Outcome::Exists { seq: leaf.seq, recorded_at: leaf.recorded_at },
    }
}

fn have_same_legs(legs: &[Leg], leaf: &Leaf) -> bool {
    // What was asked for, where the leaf keeps what could be moved of it.
    let asked = |leg: &LeafLeg| match leaf.act {
        Act::PostUpTo { asked } => i128::from(leg.amount.signum()) * i128::from(asked),
        _ => i128::from(leg.amount),
    };
    let same_leg = |(leg, recorded): (&Leg, &LeafLeg)| leg.account == recorded.account && leg.amount == asked(recorded);
    legs.len() == leaf.legs.len() && legs.iter().zip(&leaf.legs).all(same_leg)
}
