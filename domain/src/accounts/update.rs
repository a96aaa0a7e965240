//! Changes a user: the profile by the user itself or an administrator, role and status by an administrator.

use serde_json::json;
use sqlx::PgConnection;

use super::{User, create, read};
use crate::access::scope::Scope;
use crate::access::{revoke_all, revoked};
use crate::audit;
use crate::error::Error;
use crate::ids::UserId;
use crate::principal::{Principal, Role};
use crate::validate::Findings;

/// What is to change; what is not named stays, and a field that may be absent goes where its new value is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// 1 to 200 characters.
    pub name: Option<String>,
    /// Unique in the book, without regard to case.
    pub email: Option<String>,
    /// 1 to 100 characters.
    pub country: Option<Option<String>>,
    /// E.164.
    pub phone: Option<Option<String>>,
    /// BCP 47.
    pub locale: Option<Option<String>>,
    /// A name of the IANA time zone database.
    pub time_zone: Option<Option<String>>,
    /// An https address.
    pub avatar_url: Option<Option<String>>,
    /// 1 to 1,000 characters.
    pub bio: Option<Option<String>>,
    /// For an administrator.
    pub role: Option<Role>,
    /// For an administrator: `true` for active, `false` for suspended.
    pub is_active: Option<bool>,
}

impl Changes {
    /// Checks what does not depend on what is stored.
    ///
    /// # Errors
    /// [`Error::Invalid`] with all that is wrong.
    pub fn validate(&self) -> Result<(), Error> {
        let mut findings = Findings::default();
        if let Some(name) = &self.name {
            findings.text("/name", name, 1, 200);
        }
        if let Some(email) = &self.email {
            findings.email("/email", email);
        }
        if let Some(Some(country)) = &self.country {
            findings.text("/country", country, 1, 100);
        }
        findings.into_result()
    }

    /// Whether they are for an administrator only.
    fn are_of_rights(&self) -> bool {
        self.role.is_some() || self.is_active.is_some()
    }

    /// The user as it is after them.
    fn applied(&self, mut user: User) -> User {
        user.name = self.name.clone().unwrap_or(user.name);
        user.email = self.email.clone().unwrap_or(user.email);
        user.country = self.country.clone().unwrap_or(user.country);
        user.profile.phone = self.phone.clone().unwrap_or(user.profile.phone);
        user.profile.locale = self.locale.clone().unwrap_or(user.profile.locale);
        user.profile.time_zone = self.time_zone.clone().unwrap_or(user.profile.time_zone);
        user.profile.avatar_url = self.avatar_url.clone().unwrap_or(user.profile.avatar_url);
        user.profile.bio = self.bio.clone().unwrap_or(user.profile.bio);
        user.role = self.role.unwrap_or(user.role);
        if let Some(is_active) = self.is_active {
            user.status = if is_active { "active" } else { "suspended" }.to_owned();
        }
        user
    }
}

/// Changes the user, if `allows` says so of what it is now, in the caller's transaction; returns what it is then.
///
/// # Errors
/// [`Error::NotFound`] as [`read::find`]; [`Error::Forbidden`] for what only an administrator, or only a session, may do;
/// [`Error::Stale`] when `allows` says no; [`Error::Conflict`] `email_taken`, `user_deleted`, or `own_account` when an administrator
/// would change its own role or status; when the database fails.
pub async fn update(
    conn: &mut PgConnection,
    principal: &Principal,
    id: UserId,
    changes: &Changes,
    allows: impl FnOnce(&User) -> bool,
) -> Result<User, Error> {
    let before = read::lock(conn, principal, id).await?;
    check_rights(principal, &before, changes)?;
    if !allows(&before) {
        return Err(Error::Stale);
    }
    if before.status == "deleted" {
        return Err(super::delete::is_deleted());
    }
    let after = changes.applied(before.clone());
    if after == before {
        return Ok(before);
    }
    write(conn, principal, &after).await?;
    follow_up(conn, principal, &before, &after).await?;
    super::tell(conn, principal.book, "user.updated", id).await?;
    read::find(conn, principal, id).await
}

fn check_rights(principal: &Principal, user: &User, changes: &Changes) -> Result<(), Error> {
    let (is_admin, is_own) = (principal.scopes.has(Scope::UsersAdmin), principal.user_id == user.id);
    if !is_admin && !is_own {
        return Err(Error::Forbidden("only an administrator changes other users"));
    }
    if !is_admin && changes.are_of_rights() {
        return Err(Error::Forbidden("only an administrator changes roles and status"));
    }
    // Who has the address can have the password reset, so a key must not be able to change it.
    if !is_admin && changes.email.is_some() && principal.session().is_none() {
        return Err(Error::Forbidden("the address is changed with a session, not with an API key"));
    }
    if is_own && changes.are_of_rights() {
        let detail = "nobody changes their own role or status: another administrator does".to_owned();
        return Err(Error::Conflict { code: "own_account", detail, existing: None });
    }
    Ok(())
}

/// Writes the row, unless somebody else has the address.
async fn write(conn: &mut PgConnection, principal: &Principal, user: &User) -> Result<(), Error> {
    let written = sqlx::query!(
        "update app.account_user
         set name = $4,
             email = $5,
             country = $6,
             phone = $7,
             locale = $8,
             time_zone = $9,
             avatar_url = $10,
             bio = $11,
             role = $12,
             status = $13,
             -- Later than before also when the clock stands still, so that the tag changes with the row.
             updated_at = greatest(clock_timestamp(), updated_at + interval '1 microsecond')
         where shard = $1
           and book_id = $2
           and id = $3
           and not exists (
               select
               from app.account_user as other
               where other.shard = $1
                 and other.book_id = $2
                 and lower(other.email) = lower($5)
                 and other.id <> $3
           )",
        principal.book.shard,
        principal.book.id,
        user.id.0,
        user.name,
        user.email,
        user.country,
        user.profile.phone,
        user.profile.locale,
        user.profile.time_zone,
        user.profile.avatar_url,
        user.profile.bio,
        user.role.as_str(),
        user.status,
    )
    .execute(&mut *conn)
    .await;
    match written {
        Ok(written) if written.rows_affected() == 1 => Ok(()),
        Ok(_) => Err(create::email_taken(conn, principal, &user.email).await?),
        // Somebody took it in between; the transaction is over, so who it was cannot be read any more.
        Err(error) if Error::is_unique_violation(&error, "account_user_email") => {
            let detail = format!("{} belongs to another user", user.email);
            Err(Error::Conflict { code: "email_taken", detail, existing: None })
        }
        Err(error) => Err(error.into()),
    }
}

/// Ends what a suspended user began, makes processes forget what they remember of its rights, and writes down who did it.
async fn follow_up(conn: &mut PgConnection, principal: &Principal, before: &User, after: &User) -> Result<(), Error> {
    let target = after.id.to_string();
    if before.status != after.status {
        let is_suspended = after.status == "suspended";
        if is_suspended {
            revoke_all(conn, principal.book.shard, after.id, None, false).await?;
        }
        let action = if is_suspended { "user.suspend" } else { "user.activate" };
        audit::record(conn, principal, action, &target, json!({})).await?;
    }
    if before.role != after.role {
        revoked(conn, after.id).await?;
        let detail = json!({ "from": before.role.as_str(), "to": after.role.as_str() });
        audit::record(conn, principal, "user.change_role", &target, detail).await?;
    }
    let is_only_rights = User { role: before.role, status: before.status.clone(), ..after.clone() } == *before;
    if principal.user_id != after.id && !is_only_rights {
        audit::record(conn, principal, "user.update", &target, json!({})).await?;
    }
    Ok(())
}
