//! A request for a transaction, and the rules for its fields that need no database.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};
use ledger::posting::LEGS_MAX;
use ledger::{AccountId, Money, TransactionId};

use super::{Kind, Leg};
use crate::error::Error;
use crate::ids::ProductId;
use crate::validate::Findings;

/// What a transaction is made from. Which fields are needed depends on the kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTransaction {
    /// What it is for.
    pub kind: Kind,
    /// The account that is debited: not for a deposit, nor for what follows from another transaction or has legs.
    pub from: Option<AccountId>,
    /// The account that is credited: not for a withdrawal, nor where there is no `from` either; none for a purchase of a
    /// product: its owner's.
    pub to: Option<AccountId>,
    /// How much, more than zero. None for a purchase: what the product costs; for a reversal and a post: all of it.
    pub amount: Option<Money>,
    /// What was bought: only for a purchase or a refund.
    pub product_id: Option<ProductId>,
    /// How many: only with a product. None for a purchase by the product's price: one.
    pub quantity: Option<i32>,
    /// What the caller takes the product's price to be: only for a purchase.
    pub expected_price: Option<Money>,
    /// What is taken back: only for a reversal.
    pub reverses: Option<TransactionId>,
    /// What is posted or voided.
    pub resolves: Option<TransactionId>,
    /// Two legs or more, which come to nothing in each currency: only for this kind.
    pub legs: Vec<Leg>,
    /// Sets the amounts aside and does not move them.
    pub hold: Option<NewHold>,
    /// The caller's own name for it, 1 to 128 characters, unique among the caller's transactions.
    pub reference: Option<String>,
    /// The caller's own words, up to 500 characters.
    pub description: Option<String>,
    /// When it counts; none: when it is accepted.
    pub effective_at: Option<DateTime<Utc>>,
}

/// What a hold is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewHold {
    /// From when on it can only expire; none: never.
    pub expires_at: Option<DateTime<Utc>>,
}

impl NewTransaction {
    /// A request that says nothing but what it is for.
    pub fn of(kind: Kind) -> NewTransaction {
        NewTransaction {
            kind,
            from: None,
            to: None,
            amount: None,
            product_id: None,
            quantity: None,
            expected_price: None,
            reverses: None,
            resolves: None,
            legs: Vec::new(),
            hold: None,
            reference: None,
            description: None,
            effective_at: None,
        }
    }

    /// Checks every field.
    ///
    /// # Errors
    /// [`Error::Invalid`] with all that is wrong.
    pub fn validate(&self) -> Result<(), Error> {
        let mut findings = Findings::default();
        self.check_presence(&mut findings);
        if let Some(amount) = &self.amount {
            findings.positive("/amount", amount);
        }
        if self.quantity.is_some_and(|quantity| quantity < 1) {
            findings.add("/quantity", "positive", "must be at least 1");
        }
        if self.from.is_some() && self.from == self.to {
            findings.add("/to", "same_account", "must be another account than /from");
        }
        if self.kind == Kind::MultiLeg && !self.legs.is_empty() {
            self.check_legs(&mut findings);
        }
        findings.optional_text("/reference", self.reference.as_deref(), 128);
        findings.optional_text("/description", self.description.as_deref(), 500);
        findings.into_result()
    }

    /// Whether it is a purchase at what the product costs.
    pub(super) fn is_by_price(&self) -> bool {
        self.kind == Kind::Purchase && self.product_id.is_some()
    }

    /// Each kind has fields that it needs and fields that it must not have.
    fn check_presence(&self, findings: &mut Findings) {
        use Kind::{Deposit, MultiLeg, Post, Purchase, Refund, Reversal, Transfer, Void, Withdrawal};
        let kind = self.kind;
        let is_of = |kinds: &[Kind]| kinds.contains(&kind);
        let has_product = is_of(&[Purchase, Refund]);
        let is_free = self.is_by_price();
        let rules = [
            ("/from", self.from.is_some(), is_of(&[Transfer, Withdrawal, Purchase, Refund]), true),
            ("/to", self.to.is_some(), is_of(&[Transfer, Deposit, Purchase, Refund]), !is_free),
            ("/amount", self.amount.is_some(), !is_of(&[MultiLeg, Void]), !is_free && !is_of(&[Reversal, Post])),
            ("/reverses", self.reverses.is_some(), kind == Reversal, true),
            ("/hold_id", self.resolves.is_some(), is_of(&[Post, Void]), true),
            ("/legs", !self.legs.is_empty(), kind == MultiLeg, true),
            ("/hold", self.hold.is_some(), !is_of(&[Reversal, Post, Void]), false),
            ("/product_id", self.product_id.is_some(), has_product, false),
            ("/quantity", self.quantity.is_some(), has_product && self.product_id.is_some(), false),
            ("/expected_price", self.expected_price.is_some(), is_free, false),
        ];
        for (pointer, is_there, is_wanted, is_required) in rules {
            match (is_there, is_wanted) {
                (true, false) => findings.add(pointer, "not_allowed", format!("a {} does not take it", kind.as_str())),
                (false, true) if is_required => {
                    findings.add(pointer, "required", format!("a {} needs it", kind.as_str()));
                }
                _ => {}
            }
        }
    }

    /// Each account once, no leg of nothing, and each currency by itself comes to nothing.
    fn check_legs(&self, findings: &mut Findings) {
        let mut accounts = HashSet::new();
        let mut sums: BTreeMap<&str, i128> = BTreeMap::new();
        for (index, leg) in self.legs.iter().enumerate() {
            if !accounts.insert(leg.account) {
                findings.add(&format!("/legs/{index}/account"), "same_account", "must be on no other leg");
            }
            if leg.amount.minor == 0 {
                findings.add(&format!("/legs/{index}/amount/amount"), "positive", "must be more than zero");
            }
            *sums.entry(leg.amount.currency.code()).or_default() += leg.amount.minor;
        }
        for (currency, sum) in sums.into_iter().filter(|(_, sum)| *sum != 0) {
            let (more, by) = (if sum > 0 { "credits" } else { "debits" }, sum.unsigned_abs());
            let detail = format!("{more} of {currency} are {by} minor units more than the other side");
            findings.add("/legs", "unbalanced", detail);
        }
        if !(2..=LEGS_MAX).contains(&self.legs.len()) {
            findings.add("/legs", "length", format!("must be 2 to {LEGS_MAX} legs"));
        }
    }
}

#[cfg(test)]
mod tests {
    use ledger::Currency;
    use uuid::Uuid;

    use super::*;

    fn transfer() -> NewTransaction {
        NewTransaction {
            from: Some(AccountId(Uuid::now_v7())),
            to: Some(AccountId(Uuid::now_v7())),
            amount: Some(Money { minor: 1_250, currency: Currency::GBP }),
            ..NewTransaction::of(Kind::Transfer)
        }
    }

    fn findings(new: NewTransaction) -> Vec<(String, &'static str)> {
        match new.validate() {
            Ok(()) => Vec::new(),
            Err(Error::Invalid(fields)) => fields.into_iter().map(|field| (field.pointer, field.code)).collect(),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn each_broken_rule_is_named() {
        let same = Some(AccountId(Uuid::now_v7()));
        let nothing = Some(Money { minor: 0, currency: Currency::GBP });
        let reverses = Some(TransactionId(Uuid::now_v7()));
        let hold = Some(NewHold { expires_at: None });
        let rows: Vec<(NewTransaction, &str, &str)> = vec![
            (NewTransaction { from: None, ..transfer() }, "/from", "required"),
            (NewTransaction { to: None, ..transfer() }, "/to", "required"),
            (NewTransaction { amount: None, ..transfer() }, "/amount", "required"),
            (NewTransaction { amount: nothing, ..transfer() }, "/amount/amount", "positive"),
            (NewTransaction { from: same, to: same, ..transfer() }, "/to", "same_account"),
            (NewTransaction { reverses, ..transfer() }, "/reverses", "not_allowed"),
            (NewTransaction { quantity: Some(1), ..transfer() }, "/quantity", "not_allowed"),
            (NewTransaction { reference: Some(String::new()), ..transfer() }, "/reference", "length"),
            (NewTransaction { kind: Kind::Deposit, ..transfer() }, "/from", "not_allowed"),
            (NewTransaction { kind: Kind::Withdrawal, ..transfer() }, "/to", "not_allowed"),
            (NewTransaction { legs: legs(&[("GBP", -1), ("GBP", 1)]), ..transfer() }, "/legs", "not_allowed"),
            (NewTransaction { resolves: reverses, ..transfer() }, "/hold_id", "not_allowed"),
            (NewTransaction { expected_price: transfer().amount, ..transfer() }, "/expected_price", "not_allowed"),
            (NewTransaction { resolves: None, ..NewTransaction::of(Kind::Void) }, "/hold_id", "required"),
            (NewTransaction { resolves: reverses, hold, ..NewTransaction::of(Kind::Post) }, "/hold", "not_allowed"),
            (multi_leg(&[]), "/legs", "required"),
            (multi_leg(&[("GBP", -1), ("GBP", 2)]), "/legs", "unbalanced"),
            (multi_leg(&[("GBP", -1), ("EUR", 1), ("EUR", -1), ("GBP", 2)]), "/legs", "unbalanced"),
            (multi_leg(&[("GBP", -1), ("GBP", 1), ("GBP", 0)]), "/legs/2/amount/amount", "positive"),
        ];
        for (new, pointer, code) in rows {
            assert_eq!(findings(new), [(pointer.to_owned(), code)]);
        }
        assert!(findings(transfer()).is_empty());
        assert!(findings(NewTransaction { reverses, ..NewTransaction::of(Kind::Reversal) }).is_empty());
        assert!(findings(NewTransaction { hold, ..multi_leg(&[("GBP", -3), ("GBP", 1), ("GBP", 2)]) }).is_empty());
        let mut twice = multi_leg(&[("GBP", -1), ("GBP", 1)]);
        twice.legs[1].account = twice.legs[0].account;
        assert_eq!(findings(twice), [("/legs/1/account".to_owned(), "same_account")]);
    }

    fn legs(amounts: &[(&str, i128)]) -> Vec<Leg> {
        let money = |(code, minor): &(&str, i128)| Money { minor: *minor, currency: Currency::parse(code).unwrap() };
        amounts.iter().map(|one| Leg { account: AccountId(Uuid::now_v7()), amount: money(one) }).collect()
    }

    fn multi_leg(amounts: &[(&str, i128)]) -> NewTransaction {
        NewTransaction { legs: legs(amounts), ..NewTransaction::of(Kind::MultiLeg) }
    }
}
