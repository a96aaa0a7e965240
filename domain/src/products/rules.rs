//! The rules that give products their categories: small, and shared by all books.

use std::fmt;

use sqlx::PgConnection;

use super::CategoryId;
use super::categories;
use crate::audit;
use crate::error::Error;
use crate::principal::Principal;

/// The number of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RuleId(pub i32);

impl fmt::Display for RuleId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A product whose name holds the keyword is of the category, unless a rule before this one says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its number.
    pub id: RuleId,
    /// Lower ranks are tried first; the number breaks a tie.
    pub rank: i32,
    /// In upper case, found anywhere in the upper-cased name.
    pub keyword: String,
    /// What the product becomes.
    pub category_id: CategoryId,
}

/// What a rule is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRule {
    /// Lower ranks are tried first.
    pub rank: i32,
    /// 2 to 100 characters.
    pub keyword: String,
    /// What the product becomes.
    pub category_id: CategoryId,
}

/// What a rule is to become; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// Its new rank.
    pub rank: Option<i32>,
    /// Its new keyword.
    pub keyword: Option<String>,
    /// Its new category.
    pub category_id: Option<CategoryId>,
}

/// No more than this many: each product's name is held against all of them.
pub const RULES_MAX: i64 = 1_000;

/// All of them, in the order that they are tried in.
///
/// # Errors
/// When the database fails.
pub async fn list(conn: &mut PgConnection) -> sqlx::Result<Vec<Rule>> {
    let rows = sqlx::query!("select id, rank, keyword, category_id from app.category_rule order by rank, id");
    let rule = |id, rank, keyword, category| Rule { id: RuleId(id), rank, keyword, category_id: CategoryId(category) };
    let rows = rows.fetch_all(conn).await?;
    Ok(rows.into_iter().map(|row| rule(row.id, row.rank, row.keyword, row.category_id)).collect())
}

/// One of them.
///
/// # Errors
/// [`Error::NotFound`]; when the database fails.
pub async fn find(conn: &mut PgConnection, id: RuleId) -> Result<Rule, Error> {
    list(conn).await?.into_iter().find(|rule| rule.id == id).ok_or(Error::NotFound)
}

/// Adds a rule. It holds for products that are categorised from now on.
///
/// # Errors
/// [`Error::Conflict`] `keyword_taken` or `too_many_rules`; [`Error::Invalid`] when there is no such category; when the database fails.
pub async fn create(conn: &mut PgConnection, principal: &Principal, new: &NewRule) -> Result<Rule, Error> {
    lock(conn).await?;
    let keyword = new.keyword.to_uppercase();
    check_keyword(conn, &keyword, None).await?;
    categories::hold(conn, new.category_id, "/category_id").await?;
    let count =
        sqlx::query_scalar!(r#"select count(*) as "count!" from app.category_rule"#).fetch_one(&mut *conn).await?;
    if count >= RULES_MAX {
        let detail = format!("there are {RULES_MAX} rules, and no more are taken");
        return Err(Error::Conflict { code: "too_many_rules", detail, existing: None });
    }
    let id = sqlx::query_scalar!(
        "insert into app.category_rule (rank, keyword, category_id) values ($1, $2, $3) returning id",
        new.rank,
        keyword,
        new.category_id.0,
    );
    let rule =
        Rule { id: RuleId(id.fetch_one(&mut *conn).await?), rank: new.rank, keyword, category_id: new.category_id };
    audit::record(conn, principal, "category_rule.create", &rule.id.to_string(), detail(&rule)).await?;
    Ok(rule)
}

/// Changes a rule. It holds for products that are categorised from now on.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Conflict`] `keyword_taken`; [`Error::Invalid`] when there is no such category; when the database fails.
pub async fn update(
    conn: &mut PgConnection,
    principal: &Principal,
    id: RuleId,
    change: &Change,
) -> Result<Rule, Error> {
    lock(conn).await?;
    let mut rule = find(conn, id).await?;
    rule.rank = change.rank.unwrap_or(rule.rank);
    if let Some(keyword) = &change.keyword {
        rule.keyword = keyword.to_uppercase();
        check_keyword(conn, &rule.keyword, Some(id)).await?;
    }
    if let Some(category) = change.category_id {
        categories::hold(conn, category, "/category_id").await?;
        rule.category_id = category;
    }
    sqlx::query!(
        "update app.category_rule set rank = $2, keyword = $3, category_id = $4 where id = $1",
        id.0,
        rule.rank,
        rule.keyword,
        rule.category_id.0,
    )
    .execute(&mut *conn)
    .await?;
    audit::record(conn, principal, "category_rule.update", &id.to_string(), detail(&rule)).await?;
    Ok(rule)
}

/// Removes a rule. What it gave products stays until they are categorised again.
///
/// # Errors
/// [`Error::NotFound`]; when the database fails.
pub async fn delete(conn: &mut PgConnection, principal: &Principal, id: RuleId) -> Result<(), Error> {
    let deleted = sqlx::query!("delete from app.category_rule where id = $1", id.0).execute(&mut *conn).await?;
    if deleted.rows_affected() == 0 {
        return Err(Error::NotFound);
    }
    audit::record(conn, principal, "category_rule.delete", &id.to_string(), serde_json::json!({})).await?;
    Ok(())
}

/// Others who change rules wait until this transaction has ended; those who read them do not.
async fn lock(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("lock table app.category_rule in share row exclusive mode").execute(conn).await?;
    Ok(())
}

/// Refuses a keyword that is too short or that another rule has.
async fn check_keyword(conn: &mut PgConnection, keyword: &str, own: Option<RuleId>) -> Result<(), Error> {
    // Capitals may be longer than what they are capitals of.
    if !(2..=100).contains(&keyword.chars().count()) {
        return Err(Error::field("/keyword", "length", "must have 2 to 100 characters"));
    }
    let other = sqlx::query_scalar!("select id from app.category_rule where keyword = $1", keyword);
    let other = other.fetch_optional(conn).await?.map(RuleId).filter(|other| Some(*other) != own);
    match other {
        Some(other) => {
            let detail = format!("rule {other} has the keyword {keyword}");
            Err(Error::Conflict { code: "keyword_taken", detail, existing: None })
        }
        None => Ok(()),
    }
}

fn detail(rule: &Rule) -> serde_json::Value {
    serde_json::json!({ "rank": rule.rank, "keyword": rule.keyword, "category_id": rule.category_id.0 })
}
