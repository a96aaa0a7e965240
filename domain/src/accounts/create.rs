//! Creates a user with wallets that wait to be opened.

use ledger::Currency;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{User, read};
use crate::access::password;
use crate::error::Error;
use crate::ids::UserId;
use crate::principal::{Principal, Role};
use crate::validate::{CURRENCIES, Findings};

/// What a user is created from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUser {
    /// Unique in the book, without regard to case.
    pub email: String,
    /// 1 to 200 characters.
    pub name: String,
    /// 1 to 100 characters.
    pub country: Option<String>,
    /// What the user may do.
    pub role: Role,
    /// The stored form of the password; none for a user who does not log in.
    pub password_hash: Option<String>,
    /// One wallet each.
    pub currencies: Vec<Currency>,
}

impl NewUser {
    /// Checks every field, and the password before it is hashed.
    ///
    /// # Errors
    /// [`Error::Invalid`] with all that is wrong.
    pub fn validate(&self, password: Option<&str>) -> Result<(), Error> {
        let mut findings = Findings::default();
        findings.email("/email", &self.email);
        findings.text("/name", &self.name, 1, 200);
        findings.optional_text("/country", self.country.as_deref(), 100);
        if let Some(password) = password {
            password::check(&mut findings, "/password", password);
        }
        if self.currencies.is_empty() {
            findings.add("/currencies", "empty", "must name at least one currency");
        }
        for (index, currency) in self.currencies.iter().enumerate() {
            let pointer = format!("/currencies/{index}");
            if !CURRENCIES.contains(currency) {
                findings.add(&pointer, "currency_not_offered", format!("{} is not offered here", currency.code()));
            }
            if self.currencies[..index].contains(currency) {
                findings.add(&pointer, "duplicate", format!("{} is named twice", currency.code()));
            }
        }
        findings.into_result()
    }
}

/// Creates the user and its wallets, in the caller's transaction; `accounts.open_wallets` opens them.
///
/// # Errors
/// [`Error::Forbidden`] unless the caller is an administrator; [`Error::Conflict`] `email_taken` when the address is in
/// use; when the database fails.
pub async fn create(conn: &mut PgConnection, principal: &Principal, new: &NewUser) -> Result<User, Error> {
    if principal.role != Role::Admin {
        return Err(Error::Forbidden("only an administrator creates users"));
    }
    let id = UserId::new();
    let inserted = sqlx::query!(
        "insert into app.account_user (shard, book_id, id, email, name, country, role, password_hash)
         values ($1, $2, $3, $4, $5, $6, $7, $8)
         on conflict (shard, book_id, lower(email)) do nothing",
        principal.book.shard,
        principal.book.id,
        id.0,
        new.email,
        new.name,
        new.country,
        new.role.as_str(),
        new.password_hash,
    )
    .execute(&mut *conn)
    .await?;
    if inserted.rows_affected() == 0 {
        return Err(email_taken(conn, principal, &new.email).await?);
    }
    add_wallets(conn, principal, id, &new.currencies).await?;
    super::tell(conn, principal.book, "user.created", id).await?;
    read::find(conn, principal, id).await
}

/// The conflict that names who has the address.
pub(super) async fn email_taken(conn: &mut PgConnection, principal: &Principal, email: &str) -> Result<Error, Error> {
    let existing = sqlx::query_scalar!(
        "select id
         from app.account_user
         where shard = $1 and book_id = $2 and lower(email) = lower($3)",
        principal.book.shard,
        principal.book.id,
        email,
    )
    .fetch_optional(conn)
    .await?;
    Ok(Error::Conflict { code: "email_taken", detail: format!("{email} belongs to another user"), existing })
}

/// Writes one wallet for each currency, not open yet.
async fn add_wallets(
    conn: &mut PgConnection,
    principal: &Principal,
    owner: UserId,
    currencies: &[Currency],
) -> sqlx::Result<()> {
    let accounts: Vec<Uuid> = currencies.iter().map(|_| Uuid::now_v7()).collect();
    let codes: Vec<String> = currencies.iter().map(|currency| currency.code().to_owned()).collect();
    sqlx::query!(
        "insert into app.wallet (shard, book_id, account_id, owner_id, purpose, currency)
         select $1, $2, input.account_id, $3, 'wallet', input.currency
         from unnest($4::uuid[], $5::text[]) as input (account_id, currency)",
        principal.book.shard,
        principal.book.id,
        owner.0,
        &accounts,
        &codes,
    )
    .execute(conn)
    .await?;
    Ok(())
}
