//! Reads users: one by its id, or a page of them.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Profile, User, Wallet, wallets};
use crate::error::Error;
use crate::ids::UserId;
use crate::page::{Listed, Page};
use crate::principal::{Principal, Role};

/// Which users to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only the user with this address, without regard to case.
    pub email: Option<String>,
    /// Only those whose name or address holds this text, without regard to case; at least 3 characters, or no index helps.
    pub search: Option<String>,
    /// Only those that may do this.
    pub role: Option<Role>,
    /// Only those of this status; deleted ones are listed only by it.
    pub status: Option<String>,
    /// Only those created at this time or later.
    pub created_from: Option<DateTime<Utc>>,
    /// Only those created before this time.
    pub created_to: Option<DateTime<Utc>>,
    /// Which page.
    pub page: Page,
}

/// A row of `app.account_user`.
#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    email: String,
    name: String,
    country: Option<String>,
    phone: Option<String>,
    locale: Option<String>,
    time_zone: Option<String>,
    avatar_url: Option<String>,
    bio: Option<String>,
    role: String,
    status: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// The user, if the caller may see it.
///
/// # Errors
/// [`Error::NotFound`] when there is none, or the caller is no staff and it is somebody else; when the database fails.
pub async fn find(conn: &mut PgConnection, principal: &Principal, id: UserId) -> Result<User, Error> {
    let row = sqlx::query_as!(
        Row,
        "select id, email, name, country, phone, locale, time_zone, avatar_url, bio, role, status, created_at, updated_at
         from app.account_user
         where shard = $1 and book_id = $2 and id = $3 and ($4::uuid is null or id = $4)",
        principal.book.shard,
        principal.book.id,
        id.0,
        principal.only_owner(),
    )
    .fetch_optional(&mut *conn)
    .await?
    .ok_or(Error::NotFound)?;
    let users = with_wallets(conn, principal, vec![row]).await?;
    users.into_iter().next().ok_or(Error::NotFound)
}

/// [`find`], holding the user's row until the caller's transaction ends.
pub(super) async fn lock(conn: &mut PgConnection, principal: &Principal, id: UserId) -> Result<User, Error> {
    sqlx::query!(
        "select id
         from app.account_user
         where shard = $1 and book_id = $2 and id = $3
         for update",
        principal.book.shard,
        principal.book.id,
        id.0,
    )
    .fetch_optional(&mut *conn)
    .await?;
    find(conn, principal, id).await
}

/// One page of the users that the caller may see, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn list(conn: &mut PgConnection, principal: &Principal, filter: &Filter) -> Result<Listed<User>, Error> {
    // Planned for its values each time: which index helps depends on which filters there are, and on what is looked for.
    let rows = sqlx::query_as::<_, Row>(include_str!("list.sql"))
        .bind(principal.book.shard)
        .bind(principal.book.id)
        .bind(filter.email.as_deref())
        .bind(filter.page.after)
        .bind(principal.only_owner())
        .bind(filter.page.fetch_limit())
        .bind(filter.search.as_deref().map(containing))
        .bind(filter.role.map(Role::as_str))
        .bind(filter.status.as_deref())
        .bind(filter.created_from)
        .bind(filter.created_to)
        .persistent(false)
        .fetch_all(&mut *conn)
        .await?;
    let users = with_wallets(conn, principal, rows).await?;
    Ok(filter.page.cut(users))
}

/// The pattern of texts that hold this one.
fn containing(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{escaped}%")
}

/// Adds the wallets of all of them in one query.
async fn with_wallets(conn: &mut PgConnection, principal: &Principal, rows: Vec<Row>) -> sqlx::Result<Vec<User>> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let mut by_owner: HashMap<UserId, Vec<Wallet>> = HashMap::new();
    for wallet in wallets::of_users(conn, principal.book.shard, &ids).await? {
        if let Some(owner) = wallet.owner_id {
            by_owner.entry(owner).or_default().push(wallet);
        }
    }
    Ok(rows.into_iter().map(|row| user(row, &mut by_owner)).collect())
}

fn user(row: Row, wallets: &mut HashMap<UserId, Vec<Wallet>>) -> User {
    let id = UserId(row.id);
    User {
        id,
        email: row.email,
        name: row.name,
        country: row.country,
        role: Role::parse(&row.role).expect("a check constraint holds the role's names"),
        status: row.status,
        profile: Profile {
            phone: row.phone,
            locale: row.locale,
            time_zone: row.time_zone,
            avatar_url: row.avatar_url,
            bio: row.bio,
        },
        created_at: row.created_at,
        updated_at: row.updated_at,
        wallets: wallets.remove(&id).unwrap_or_default(),
    }
}
