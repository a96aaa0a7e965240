//! Users from a file. They have no password: an administrator, or a reset, gives them one.

use std::collections::HashSet;

use ledger::Currency;
use sqlx::PgConnection;
use uuid::Uuid;

use super::fields::{Fault, Fields};
use super::rows::Outcome;
use super::{Kind, Source};
use crate::accounts::{CURRENCIES_DEFAULT, NewUser};
use crate::error::Error;
use crate::ids::UserId;
use crate::principal::Role;

/// A row that may become a user.
struct Candidate {
    /// Its place in the batch.
    place: usize,
    id: UserId,
    user: NewUser,
}

/// Creates the users of a batch with their wallets, and adds them to `created`; the outcomes are in the order of the rows.
pub(super) async fn write(
    conn: &mut PgConnection,
    source: &Source,
    rows: Vec<Fields>,
    created: &mut Vec<UserId>,
) -> sqlx::Result<Vec<Outcome>> {
    let (mut outcomes, mut candidates) = (Vec::with_capacity(rows.len()), Vec::new());
    for (place, mut row) in rows.into_iter().enumerate() {
        match read(&mut row) {
            Ok(user) => {
                candidates.push(Candidate { place, id: UserId::new(), user });
                outcomes.push(Outcome::Created);
            }
            Err(faults) => outcomes.push(Outcome::Refused(faults)),
        }
    }
    // As with products: in one order everywhere, and the first of two rows with one address is the one created.
    candidates.sort_by_cached_key(|candidate| candidate.user.email.to_lowercase());
    let inserted = insert(conn, source, &candidates).await?;
    for candidate in &candidates {
        if inserted.contains(&candidate.id.0) {
            created.push(candidate.id);
        } else {
            let fault = Fault::of("email", "email_taken", "another user has this address");
            outcomes[candidate.place] = Outcome::Exists(fault);
        }
    }
    candidates.retain(|candidate| inserted.contains(&candidate.id.0));
    add_wallets(conn, source, &candidates).await?;
    Ok(outcomes)
}

fn read(row: &mut Fields) -> Result<NewUser, Vec<Fault>> {
    let mut faults = row.missing();
    let role = row.get("role").map_or(Some(Role::User), Role::parse);
    if role.is_none() {
        faults.push(Fault::of("role", "unknown_value", "this must be one of admin, operator, user"));
    }
    let currencies = row.get("currencies").map_or(Ok(CURRENCIES_DEFAULT.to_vec()), currencies);
    let currencies = currencies.map_err(|fault| faults.push(fault)).unwrap_or_default();
    let Some(role) = role.filter(|_| faults.is_empty()) else { return Err(faults) };
    let (email, name) = (row.take("email").unwrap_or_default(), row.take("name").unwrap_or_default());
    let user = NewUser { email, name, country: row.take("country"), role, password_hash: None, currencies };
    match user.validate(None) {
        Ok(()) => Ok(user),
        Err(Error::Invalid(errors)) => {
            Err(errors.into_iter().map(|error| Fault::from_check(Kind::Users, error)).collect())
        }
        Err(error) => Err(vec![Fault::of_row("invalid", error.to_string())]),
    }
}

/// Codes with semicolons between them, as in `GBP;EUR`.
fn currencies(text: &str) -> Result<Vec<Currency>, Fault> {
    let unknown = |_| Fault::of("currencies", "unknown_currency", "these must be codes of ISO 4217, such as GBP;EUR");
    text.split(';').map(|code| Currency::parse(code.trim()).map_err(unknown)).collect()
}

/// Inserts those whose address is free, and tells which.
async fn insert(conn: &mut PgConnection, source: &Source, candidates: &[Candidate]) -> sqlx::Result<HashSet<Uuid>> {
    let users = || candidates.iter().map(|candidate| &candidate.user);
    let ids: Vec<Uuid> = candidates.iter().map(|candidate| candidate.id.0).collect();
    let emails: Vec<String> = users().map(|user| user.email.clone()).collect();
    let names: Vec<String> = users().map(|user| user.name.clone()).collect();
    let countries: Vec<Option<String>> = users().map(|user| user.country.clone()).collect();
    let roles: Vec<String> = users().map(|user| user.role.as_str().to_owned()).collect();
    let created = sqlx::query_scalar!(
        "insert into app.account_user (shard, book_id, id, email, name, country, role)
         select $1, $2, input.id, input.email, input.name, input.country, input.role
         from unnest($3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[])
             as input (id, email, name, country, role)
         on conflict (shard, book_id, lower(email)) do nothing
         returning id",
        source.book.shard,
        source.book.id,
        &ids,
        &emails,
        &names,
        &countries as &[Option<String>],
        &roles,
    )
    .fetch_all(conn)
    .await?;
    Ok(created.into_iter().collect())
}

/// Writes a wallet for each currency of each user, not open yet.
async fn add_wallets(conn: &mut PgConnection, source: &Source, users: &[Candidate]) -> sqlx::Result<()> {
    let wanted = || users.iter().flat_map(|one| one.user.currencies.iter().map(|currency| (one.id, *currency)));
    let owners: Vec<Uuid> = wanted().map(|(owner, _)| owner.0).collect();
    let accounts: Vec<Uuid> = owners.iter().map(|_| Uuid::now_v7()).collect();
    let currencies: Vec<String> = wanted().map(|(_, currency)| currency.code().to_owned()).collect();
    sqlx::query!(
        "insert into app.wallet (shard, book_id, account_id, owner_id, purpose, currency)
         select $1, $2, input.account_id, input.owner_id, 'wallet', input.currency
         from unnest($3::uuid[], $4::uuid[], $5::text[]) as input (account_id, owner_id, currency)",
        source.book.shard,
        source.book.id,
        &accounts,
        &owners,
        &currencies,
    )
    .execute(conn)
    .await?;
    Ok(())
}
