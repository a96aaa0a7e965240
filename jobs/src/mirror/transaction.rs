//! A transaction as the Erlang ledger is given it: a map of binaries and whole numbers (docs/ERLANG.md).

use ledger::leaf::Leaf;
use ledger::{AccountId, Act};
use uuid::Uuid;

use super::term::Term;

/// A recorded transaction, and the map that tells of it.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    /// Its place in the log.
    pub(crate) seq: i64,
    /// Its id.
    pub(crate) id: Uuid,
    /// The accounts that it moved.
    pub(crate) accounts: Vec<AccountId>,
    /// What is sent.
    pub(crate) map: Term,
}

impl Told {
    pub(crate) fn of(leaf: &Leaf) -> Told {
        let leg = |leg: &ledger::leaf::LeafLeg| {
            Term::map([
                ("account", Term::text(leg.account.to_string())),
                ("amount", Term::Integer(leg.amount)),
                ("currency", Term::text(leg.currency.code())),
            ])
        };
        let (kind, related) = act(leaf.act);
        let map = Term::map([
            ("id", Term::text(leaf.id.to_string())),
            ("book", Term::Integer(i64::from(leaf.book))),
            ("position", Term::Integer(leaf.seq)),
            ("kind", Term::text(kind)),
            ("code", Term::Integer(i64::from(leaf.code))),
            ("related_id", Term::text(related.map(|id| id.to_string()).unwrap_or_default())),
            ("recorded_at", Term::Integer(leaf.recorded_at.timestamp_micros())),
            ("effective_at", Term::Integer(leaf.effective_at.timestamp_micros())),
            ("legs", Term::List(leaf.legs.iter().map(leg).collect())),
        ]);
        let accounts = leaf.legs.iter().map(|leg| leg.account).collect();
        Told { seq: leaf.seq, id: leaf.id.0, accounts, map }
    }

    /// The first member that the map of another ledger has and that is not as we told it. What it did not keep, and what it
    /// has added, says nothing.
    pub(crate) fn differs_from(&self, theirs: &Term) -> Option<String> {
        let Term::Map(members) = &self.map else { unreachable!("it was made a map") };
        let differs = |(key, ours): &&(Term, Term)| {
            let Term::Atom(key) = key else { return false };
            theirs.get(key).is_some_and(|theirs| !is_same(ours, theirs))
        };
        members.iter().find(differs).map(|(key, _)| key.to_string())
    }
}

/// Maps have no order.
fn is_same(ours: &Term, theirs: &Term) -> bool {
    match (ours, theirs) {
        (Term::Map(members), Term::Map(others)) => {
            let has = |(key, value): &(Term, Term)| others.iter().any(|(other, it)| other == key && is_same(value, it));
            members.len() == others.len() && members.iter().all(has)
        }
        (Term::List(items), Term::List(others)) => {
            items.len() == others.len() && items.iter().zip(others).all(|(one, other)| is_same(one, other))
        }
        (ours, theirs) => ours == theirs,
    }
}

/// What a transaction is, and the other one that it is about.
fn act(act: Act) -> (&'static str, Option<ledger::TransactionId>) {
    match act {
        Act::Post => ("post", None),
        Act::PostUpTo { .. } => ("post_up_to", None),
        Act::Reverse(original) => ("reverse", Some(original)),
        Act::ReversePart(original) => ("reverse_part", Some(original)),
        Act::Hold { .. } => ("hold", None),
        Act::Capture(hold) => ("capture", Some(hold)),
        Act::Void(hold) => ("void", Some(hold)),
        Act::Expire(hold) => ("expire", Some(hold)),
        Act::Close => ("close", None),
    }
}

/// The id of a transaction in the other ledger's history.
pub(crate) fn id_of(theirs: &Term) -> Option<Uuid> {
    let Some(Term::Binary(id)) = theirs.get("id") else { return None };
    Uuid::try_parse(std::str::from_utf8(id).ok()?).ok()
}
