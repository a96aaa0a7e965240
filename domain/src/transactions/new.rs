//! A request for a transaction, and the rules for its fields that need no database.

use chrono::{DateTime, Utc};
use ledger::{AccountId, Money, TransactionId};

use super::Kind;
use crate::error::Error;
use crate::ids::ProductId;
use crate::validate::Findings;

/// What a transaction is made from. Which fields are needed depends on the kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTransaction {
    /// What it is for.
    pub kind: Kind,
    /// The account that is debited: not for a deposit or a reversal.
    pub from: Option<AccountId>,
    /// The account that is credited: not for a withdrawal or a reversal.
    pub to: Option<AccountId>,
    /// How much, more than zero: not for a reversal.
    pub amount: Option<Money>,
    /// What was bought: only for a purchase or a refund.
    pub product_id: Option<ProductId>,
    /// How many: only with a product.
    pub quantity: Option<i32>,
    /// What is taken back: only for a reversal.
    pub reverses: Option<TransactionId>,
    /// The caller's own name for it, 1 to 128 characters, unique among the caller's transactions.
    pub reference: Option<String>,
    /// The caller's own words, up to 500 characters.
    pub description: Option<String>,
    /// When it counts; none: when it is accepted.
    pub effective_at: Option<DateTime<Utc>>,
}

impl NewTransaction {
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
        findings.optional_text("/reference", self.reference.as_deref(), 128);
        findings.optional_text("/description", self.description.as_deref(), 500);
        findings.into_result()
    }

    /// Each kind has fields that it needs and fields that it must not have.
    fn check_presence(&self, findings: &mut Findings) {
        let kind = self.kind;
        let has_product = matches!(kind, Kind::Purchase | Kind::Refund);
        let is_reversal = kind == Kind::Reversal;
        let rules = [
            ("/from", self.from.is_some(), !is_reversal && kind != Kind::Deposit, true),
            ("/to", self.to.is_some(), !is_reversal && kind != Kind::Withdrawal, true),
            ("/amount", self.amount.is_some(), !is_reversal, true),
            ("/reverses", self.reverses.is_some(), is_reversal, true),
            ("/product_id", self.product_id.is_some(), has_product, false),
            ("/quantity", self.quantity.is_some(), has_product && self.product_id.is_some(), false),
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
}

#[cfg(test)]
mod tests {
    use ledger::Currency;
    use uuid::Uuid;

    use super::*;

    fn transfer() -> NewTransaction {
        NewTransaction {
            kind: Kind::Transfer,
            from: Some(AccountId(Uuid::now_v7())),
            to: Some(AccountId(Uuid::now_v7())),
            amount: Some(Money { minor: 1_250, currency: Currency::GBP }),
            product_id: None,
            quantity: None,
            reverses: None,
            reference: None,
            description: None,
            effective_at: None,
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
        ];
        for (new, pointer, code) in rows {
            assert_eq!(findings(new), [(pointer.to_owned(), code)]);
        }
        assert!(findings(transfer()).is_empty());
        let reversal = NewTransaction { from: None, to: None, amount: None, reverses, ..transfer() };
        assert!(findings(NewTransaction { kind: Kind::Reversal, ..reversal }).is_empty());
    }
}
