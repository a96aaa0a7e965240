//! Accounts of the ledger and their entries.

use chrono::{DateTime, Utc};
use domain::accounts::Wallet;
use domain::transactions;
use ledger::Currency;
use ledger::accounts::Account;
use ledger::history::Entry;
use poem_openapi::Object;
use serde::Serialize;
use uuid::Uuid;

use super::money::MoneyView;
use super::transaction::Kind;
use super::user::WalletState;
use crate::body::choice::Choice;

/// An account of the ledger.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "Account")]
pub(crate) struct AccountView {
    /// Its identifier.
    pub id: Uuid,
    /// Whose money it is; null for the book's own accounts.
    pub owner_id: Option<Uuid>,
    /// The only currency that it holds.
    pub currency: String,
    /// What is in it: the sum of all its entries.
    pub balance: MoneyView,
    /// What open holds would take of it.
    pub held: MoneyView,
    /// What is left of the balance for other transactions; below zero only where overdraft is allowed.
    pub available: MoneyView,
    /// How many entries it has.
    pub version: i64,
    /// Whether it can be used.
    pub state: WalletState,
    /// When the ledger opened it.
    pub opened_at: Option<DateTime<Utc>>,
}

impl AccountView {
    /// A wallet with its account in the ledger, which is not there before a worker has opened it.
    pub(crate) fn of(wallet: &Wallet, account: Option<&Account>) -> AccountView {
        let balance = account.map_or(0, |account| account.balance);
        AccountView {
            id: wallet.account_id.0,
            owner_id: wallet.owner_id.map(|owner| owner.0),
            currency: wallet.currency.code().to_owned(),
            balance: MoneyView::of(balance, wallet.currency),
            held: MoneyView::of(account.map_or(0, |account| account.held_out), wallet.currency),
            available: MoneyView::of(account.map_or(0, Account::available), wallet.currency),
            version: account.map_or(0, |account| account.version),
            // The ledger may have opened it a moment before the wallet says so.
            state: if account.is_some() && !wallet.is_closed { WalletState::Open } else { WalletState::of(wallet) },
            opened_at: account.map(|account| account.opened_at),
        }
    }
}

/// What was in an account at some point.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "Balance")]
pub(crate) struct BalanceView {
    /// The account.
    pub account_id: Uuid,
    /// What was in it.
    pub balance: MoneyView,
    /// After everything that was recorded by this time.
    pub at: Option<DateTime<Utc>>,
    /// After everything that counts from this time or before.
    pub effective_at: Option<DateTime<Utc>>,
    /// After the transaction at this place of the ledger's log.
    pub seq: Option<i64>,
}

/// One change of an account's balance.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "Entry")]
pub(crate) struct EntryView {
    /// Its number among the account's entries, from 1, without gaps.
    pub version: i64,
    /// The transaction that made it.
    pub transaction_id: Uuid,
    /// The transaction's place in the ledger's log.
    pub seq: i64,
    /// What the transaction is for; null if it was not asked for over this API.
    #[oai(rename = "type")]
    #[serde(rename = "type")]
    pub kind: Option<Kind>,
    /// What came in; negative for what went out.
    pub amount: MoneyView,
    /// The balance after it.
    pub balance: MoneyView,
    /// When the ledger recorded it.
    pub recorded_at: DateTime<Utc>,
    /// When it counts, by the caller.
    pub effective_at: DateTime<Utc>,
}

impl EntryView {
    /// An entry of an account in `currency`.
    pub(crate) fn of(entry: &Entry, currency: Currency) -> EntryView {
        EntryView {
            version: entry.version,
            transaction_id: entry.transaction.0,
            seq: entry.seq,
            kind: transactions::Kind::of_code(entry.code).map(|kind| Kind::named(kind.as_str())),
            amount: MoneyView::of(entry.amount, currency),
            balance: MoneyView::of(entry.balance, currency),
            recorded_at: entry.recorded_at,
            effective_at: entry.effective_at,
        }
    }
}
