//! Whose accounts these are, remembered: who owns an account never changes.

use std::collections::HashMap;
use std::sync::Mutex;

use ledger::{AccountId, Book};
use sqlx::PgConnection;

use super::wallets;
use crate::ids::UserId;

/// How many accounts are remembered; beyond that, all are forgotten.
const KNOWN_MAX: usize = 200_000;

/// The memory of one process.
#[derive(Debug, Default)]
pub struct Owners {
    known: Mutex<HashMap<(Book, AccountId), Option<UserId>>>,
}

impl Owners {
    /// The owners of those of these accounts that belong to users.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn of(
        &self,
        conn: &mut PgConnection,
        book: Book,
        accounts: impl IntoIterator<Item = AccountId>,
    ) -> sqlx::Result<HashMap<AccountId, UserId>> {
        let (mut owners, unknown) = self.recall(book, accounts);
        if !unknown.is_empty() {
            let found = wallets::by_account(conn, book, &unknown).await?;
            let owner = |account: &AccountId| found.get(account).and_then(|wallet| wallet.owner_id);
            owners.extend(unknown.iter().filter_map(|account| Some((*account, owner(account)?))));
            // Committed or not: an account that has a wallet here has the same one for ever.
            let seen: Vec<_> = found.keys().map(|account| ((book, *account), owner(account))).collect();
            let mut known = self.known.lock().expect("nothing panics while it is held");
            if known.len() + seen.len() > KNOWN_MAX {
                known.clear();
            }
            known.extend(seen);
        }
        Ok(owners)
    }

    /// What is known of these accounts, and those of which nothing is, each once.
    fn recall(
        &self,
        book: Book,
        accounts: impl IntoIterator<Item = AccountId>,
    ) -> (HashMap<AccountId, UserId>, Vec<AccountId>) {
        let known = self.known.lock().expect("nothing panics while it is held");
        let (mut owners, mut unknown) = (HashMap::new(), Vec::new());
        for account in accounts {
            match known.get(&(book, account)) {
                Some(Some(owner)) => drop(owners.insert(account, *owner)),
                Some(None) => {}
                None => unknown.push(account),
            }
        }
        unknown.sort_unstable();
        unknown.dedup();
        (owners, unknown)
    }
}
