//! Accounts of the ledger and their entries.

use chrono::{DateTime, Utc};
use domain::accounts::Wallet;
use ledger::Currency;
use ledger::accounts::Account;
use ledger::history::Entry;
use poem_openapi::Object;
use serde::Serialize;
use uuid::Uuid;

use super::money::MoneyView;
use super::user::WalletState;

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
            version: account.map_or(0, |account| account.version),
            // The ledger may have opened it a moment before the wallet says so.
            state: if account.is_some() && !wallet.is_closed { WalletState::Open } else { WalletState::of(wallet) },
            opened_at: account.map(|account| account.opened_at),
        }
    }
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
            amount: MoneyView::of(entry.amount, currency),
            balance: MoneyView::of(entry.balance, currency),
            recorded_at: entry.recorded_at,
            effective_at: entry.effective_at,
        }
    }
}
