//! Users and their wallets.

use chrono::{DateTime, Utc};
use domain::accounts::{User, Wallet};
use poem_openapi::Object;
use serde::Serialize;
use uuid::Uuid;

use crate::body::choice::{Choice, choice};

choice! {
    /// What a user may do.
    pub(crate) enum Role {
        /// Everything.
        Admin = "admin",
        /// Sees everything, moves money for others.
        Operator = "operator",
        /// Sees and moves what is theirs.
        User = "user",
    }
}

choice! {
    /// Whether a wallet can be used.
    pub(crate) enum WalletState {
        /// Its account in the ledger is being opened by a job.
        Opening = "opening",
        /// It can be used.
        Open = "open",
    }
}

/// One of a user's accounts in the ledger.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "Wallet")]
pub(crate) struct WalletView {
    /// The account, as in `/api/v1/accounts/{id}`.
    pub account_id: Uuid,
    /// The only currency that it holds.
    pub currency: String,
    /// Whether it can be used.
    pub state: WalletState,
}

/// A person or a program that may call the API.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "User")]
pub(crate) struct UserView {
    /// Its identifier.
    pub id: Uuid,
    /// The address, unique without regard to case.
    pub email: String,
    /// What the user is called.
    pub name: String,
    /// What the user may do.
    pub role: Role,
    /// `active` or `suspended`.
    pub status: String,
    /// Free text, as it was given.
    pub country: Option<String>,
    /// The user's accounts in the ledger, by currency.
    pub wallets: Vec<WalletView>,
    /// In the answer to createUser: the job that opens the wallets.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_id: Option<Uuid>,
    /// When the user was created.
    pub created_at: DateTime<Utc>,
    /// When the user was changed last.
    pub updated_at: DateTime<Utc>,
}

impl WalletView {
    fn of(wallet: &Wallet) -> WalletView {
        let state = if wallet.is_open { WalletState::Open } else { WalletState::Opening };
        WalletView { account_id: wallet.account_id.0, currency: wallet.currency.code().to_owned(), state }
    }
}

impl From<&User> for UserView {
    fn from(user: &User) -> UserView {
        UserView {
            id: user.id.0,
            email: user.email.clone(),
            name: user.name.clone(),
            role: Role::named(user.role.as_str()),
            status: user.status.clone(),
            country: user.country.clone(),
            wallets: user.wallets.iter().map(WalletView::of).collect(),
            job_id: None,
            created_at: user.created_at,
            updated_at: user.updated_at,
        }
    }
}
