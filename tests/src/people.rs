//! Builders: users with open wallets, as the API and the worker would have made them.

use domain::accounts::{self, NewUser, wallets};
use domain::transactions::{Kind, NewTransaction};
use domain::{Principal, Role, UserId, setup};
use ledger::accounts::{NewAccount, Overdraft};
use ledger::{AccountId, Book, Currency, Money};
use sqlx::PgPool;
use uuid::Uuid;

/// Somebody who may act, with one wallet.
#[derive(Debug, Clone, Copy)]
pub struct Person {
    /// Who it is.
    pub principal: Principal,
    /// The wallet's account.
    pub wallet: AccountId,
}

/// An administrator of the main book, and the book's cash accounts.
pub async fn admin(pool: &PgPool) -> Principal {
    let mut tx = pool.begin().await.expect("the database answers");
    setup::open_cash_accounts(&mut tx, Book::MAIN).await.expect("a new book has room for cash accounts");
    setup::create_admin(&mut tx, Book::MAIN).await.expect("an administrator can be created");
    let id = sqlx::query_scalar("select id from app.account_user where role = 'admin'").fetch_one(&mut *tx).await;
    tx.commit().await.expect("the database commits");
    Principal::of(UserId(id.expect("it was just created")), Role::Admin, Book::MAIN)
}

/// A user with an open wallet in this currency.
pub async fn customer(pool: &PgPool, admin: &Principal, currency: Currency) -> Person {
    let person = newcomer(pool, admin, currency).await;
    let mut tx = pool.begin().await.expect("the database answers");
    let account = NewAccount { id: person.wallet, currency, overdraft: Overdraft::Forbidden, code: 0, group: None };
    ledger::accounts::open(&mut tx, Book::MAIN, &[account]).await.expect("a new account can be opened");
    wallets::mark_open(&mut tx, Book::MAIN, &[person.wallet]).await.expect("the wallet is there");
    tx.commit().await.expect("the database commits");
    person
}

/// A user whose wallet is not open yet.
pub async fn newcomer(pool: &PgPool, admin: &Principal, currency: Currency) -> Person {
    let email = format!("{}@example.org", Uuid::now_v7().simple());
    let new = NewUser {
        email,
        name: "Somebody".to_owned(),
        country: None,
        role: Role::User,
        password_hash: None,
        currencies: vec![currency],
    };
    let mut conn = pool.acquire().await.expect("the database answers");
    let user = accounts::create(&mut conn, admin, &new).await.expect("a new address is free");
    let principal = Principal::of(user.id, Role::User, Book::MAIN);
    Person { principal, wallet: user.wallets[0].account_id }
}

/// A request for a transfer of so many pennies.
pub fn transfer(from: AccountId, to: AccountId, pennies: i128) -> NewTransaction {
    NewTransaction {
        from: Some(from),
        to: Some(to),
        amount: Some(Money { minor: pennies, currency: Currency::GBP }),
        ..NewTransaction::of(Kind::Transfer)
    }
}
