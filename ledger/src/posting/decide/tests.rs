//! The decision, batch after batch, against a model that shares no code with it.

#[path = "../../../../tests/it/ledger_model.rs"]
#[expect(dead_code, reason = "some of it is for the tests on a database")]
mod model;

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::accounts::Overdraft;
use model::{ACCOUNTS, Model, Script, Step, account_is, histories};

/// What the tables would have.
#[derive(Default)]
struct Store {
    accounts: HashMap<AccountId, AccountState>,
    leaves: Vec<Leaf>,
    entries: Vec<NewEntry>,
    refused: HashMap<TransactionId, Refusal>,
}

impl Store {
    /// What would be read for any batch: everything.
    fn state(&self, now: DateTime<Utc>) -> State {
        let mut parts: HashMap<TransactionId, HashMap<AccountId, i64>> = HashMap::new();
        for leaf in &self.leaves {
            let Some(original) = leaf.act.reverses_part() else { continue };
            for leg in &leaf.legs {
                *parts.entry(original).or_default().entry(leg.account).or_default() += leg.amount;
            }
        }
        let last = self.leaves.last().map(|leaf| leaf.recorded_at + TimeDelta::microseconds(1));
        State {
            book: 1,
            size: self.leaves.len() as i64,
            next_at: last.map_or(now, |last| last.max(now)),
            accounts: self.accounts.clone(),
            recorded: self.leaves.iter().map(|leaf| (leaf.id, leaf.clone())).collect(),
            refused: self.refused.clone(),
            reversed: self.leaves.iter().filter_map(|leaf| leaf.act.reverses()).collect(),
            parts,
            ended: self.leaves.iter().filter_map(|leaf| leaf.act.resolves()).collect(),
        }
    }

    fn write(&mut self, decision: Decision) {
        let changed = decision.accounts.into_iter();
        self.accounts.extend(changed.map(|(id, account)| (id, AccountState { is_changed: false, ..account })));
        self.leaves.extend(decision.leaves);
        self.entries.extend(decision.entries);
        for (id, refusal) in decision.refused {
            assert!(self.refused.insert(id, refusal).is_none(), "an id is refused once");
        }
        let ids: HashSet<TransactionId> = self.leaves.iter().map(|leaf| leaf.id).collect();
        assert_eq!(ids.len(), self.leaves.len(), "an id is recorded once");
        assert!(self.refused.keys().all(|id| !ids.contains(id)), "and not refused as well");
    }

    /// I3 to I5, told from the entries alone, and the accounts and holds against the model.
    fn check(&self, model: &Model) {
        let mut balances: HashMap<AccountId, (i64, i64)> = HashMap::new();
        for entry in &self.entries {
            let (balance, version) = balances.entry(entry.account).or_default();
            (*balance, *version) = (*balance + entry.amount, *version + 1);
            assert_eq!((entry.balance, entry.version), (*balance, *version), "entries follow on each other");
        }
        for code in ["GBP", "EUR"] {
            let of = |account: &AccountState| account.currency.code() == code;
            let sum: i64 = self.accounts.values().filter(|account| of(account)).map(|account| account.balance).sum();
            assert_eq!(sum, 0, "debits equal credits in {code}");
        }
        for (id, account) in &self.accounts {
            let (balance, version) = balances.get(id).copied().unwrap_or_default();
            assert_eq!((account.balance, account.version), (balance, version), "a balance is what its entries come to");
            assert!(account.overdraft.is_allowed() || account.balance >= account.held_out);
            assert_eq!(i128::from(account.balance), model.balance(*id));
            assert_eq!((i128::from(account.held_out), i128::from(account.held_in)), model.held(*id));
            assert_eq!(account.closed_seq.is_some(), model.is_closed(*id));
        }
        for (leaf, record) in self.leaves.iter().zip(&model.log) {
            let legs: Vec<_> = leaf.legs.iter().map(|leg| (leg.account, i128::from(leg.amount))).collect();
            assert_eq!((leaf.id, legs, leaf.recorded_at), (record.asked.id, record.legs.clone(), record.at));
            assert_eq!(leaf.effective_at, record.asked.effective_at.unwrap_or(record.at));
            assert_eq!(Leaf::decode(&leaf.encode()).as_ref(), Ok(leaf));
        }
    }
}

fn setting() -> (Store, Model, Script) {
    let (mut store, mut model) = (Store::default(), Model::default());
    let ids: Vec<AccountId> = (0..ACCOUNTS).map(|n| AccountId(Uuid::from_u128(n as u128 + 1))).collect();
    for (n, id) in ids.iter().enumerate() {
        let (currency, allowed) = account_is(n);
        let account = AccountState {
            currency,
            overdraft: Overdraft::from_allowed(allowed),
            balance: 0,
            held_out: 0,
            held_in: 0,
            version: 0,
            closed_seq: None,
            is_changed: false,
        };
        store.accounts.insert(*id, account);
        model.accounts.insert(*id, (currency, allowed));
    }
    let begin = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    (store, model, Script::new(ids, begin))
}

fn run(history: &[Vec<Step>]) -> (Store, Vec<Outcome>) {
    let (mut store, mut model, mut script) = setting();
    let mut answers = Vec::new();
    for (n, steps) in history.iter().enumerate() {
        // So that some holds expire on the way.
        let now = script.begin + TimeDelta::minutes(9 * n as i64);
        let batch: Vec<Posting> = steps.iter().map(|step| script.posting(step)).collect();
        let decision = decide(store.state(now), &batch);
        assert_eq!(decision.outcomes, model.batch(&batch, now), "batch {n}: {batch:#?}");
        assert_eq!(decision.leaves.len() + store.leaves.len(), model.log.len());
        answers.extend(decision.outcomes.iter().copied());
        store.write(decision);
        assert_eq!(store.refused.len(), model.refused.len());
        store.check(&model);
    }
    (store, answers)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn each_batch_comes_to_what_the_model_says(history in histories(10)) {
        run(&history);
    }
}

/// The histories would prove little if most of what can happen never did.
#[test]
fn histories_meet_every_act_and_most_refusals() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut acts, mut refusals) = (HashSet::new(), HashSet::new());
    for _ in 0..1_000 {
        let history = histories(10).new_tree(&mut runner).unwrap().current();
        let (store, answers) = run(&history);
        acts.extend(
            store.leaves.iter().map(|leaf| format!("{:?}", leaf.act).split(['(', ' ']).next().map(str::to_owned)),
        );
        refusals.extend(answers.iter().filter_map(|answer| match answer {
            Outcome::Refused(refusal) => Some(*refusal),
            _ => None,
        }));
    }
    assert_eq!(acts.len(), 9, "every act is recorded: {acts:?}");
    let shapes = |refusal: &Refusal| refusal.as_str().starts_with("amount_") || refusal.as_str().starts_with("too_");
    let unmet: Vec<&Refusal> =
        Refusal::ALL.iter().filter(|refusal| !refusals.contains(refusal) && !shapes(refusal)).collect();
    use Refusal::{AccountNotFound, AskedMismatch, BalanceOverflow, TimeOutOfRange, Unbalanced};
    let not_made = [AskedMismatch, TimeOutOfRange, AccountNotFound, Unbalanced, BalanceOverflow];
    assert!(unmet.iter().all(|refusal| not_made.contains(refusal)), "{unmet:?}");
}
