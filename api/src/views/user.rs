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
    /// Whether a user may log in.
    pub(crate) enum UserStatus {
        /// Yes.
        Active = "active",
        /// No; nor do its API keys work.
        Suspended = "suspended",
        /// Never again: the user is kept as the owner of what is recorded.
        Deleted = "deleted",
    }
}

choice! {
    /// Whether a wallet can be used.
    pub(crate) enum WalletState {
        /// Its account in the ledger is being opened by a job.
        Opening = "opening",
        /// It can be used.
        Open = "open",
        /// Its owner was deleted: nothing moves in or out any more.
        Closed = "closed",
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
    /// Whether the user may log in.
    pub status: UserStatus,
    /// Free text, as it was given.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// A telephone number in E.164.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// A language tag of BCP 47.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// A name of the IANA time zone database.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// An https address of a picture, as the user gave it.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<String>,
    /// The user's own words.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bio: Option<String>,
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

impl WalletState {
    /// That of a wallet.
    pub(crate) fn of(wallet: &Wallet) -> WalletState {
        match (wallet.is_closed, wallet.is_open) {
            (true, _) => WalletState::Closed,
            (false, true) => WalletState::Open,
            (false, false) => WalletState::Opening,
        }
    }
}

impl WalletView {
    fn of(wallet: &Wallet) -> WalletView {
        let state = WalletState::of(wallet);
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
            status: UserStatus::named(&user.status),
            country: user.country.clone(),
            phone: user.profile.phone.clone(),
            locale: user.profile.locale.clone(),
            time_zone: user.profile.time_zone.clone(),
            avatar_url: user.profile.avatar_url.clone(),
            bio: user.profile.bio.clone(),
            wallets: user.wallets.iter().map(WalletView::of).collect(),
            job_id: None,
            created_at: user.created_at,
            updated_at: user.updated_at,
        }
    }
}
