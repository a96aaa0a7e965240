//! Lists transactions, either way, by many filters.
//!
//! An index tells which come next: that of an account, of a product, or of the book. The other filters are applied to what
//! it finds, to so many at a time and [`SCAN_MAX`] in all: a page may therefore be short of its limit and still have a
//! next one, and no filter, however rare what it wants is, costs more than that.

mod candidates;
mod rows;

use chrono::{DateTime, Utc};
use ledger::{AccountId, Currency};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Kind, State, Transaction, read};
use crate::accounts::wallets;
use crate::error::Error;
use crate::ids::{ProductId, UserId};
use crate::page::Page;
use crate::principal::Principal;
use candidates::{Among, Range};

/// The most transactions that one page looks at to find those that are wanted.
const SCAN_MAX: usize = 20_000;

/// How many of them are looked at in one go.
const SCAN: i64 = 1_000;

/// Which way transactions are listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// The last that was accepted first.
    #[default]
    NewestFirst,
    /// The first that was accepted first.
    OldestFirst,
}

/// A range of times; what is none is open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TimeRange {
    /// At this time or later.
    pub from: Option<DateTime<Utc>>,
    /// Before this time.
    pub before: Option<DateTime<Utc>>,
}

/// A range of amounts of one currency, in minor units, its ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AmountRange {
    /// The currency.
    pub currency: Currency,
    /// The least.
    pub min: i64,
    /// The most.
    pub max: i64,
}

/// Which transactions to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only those in which this account takes part.
    pub account: Option<AccountId>,
    /// Only those in which an account of this user takes part.
    pub owner: Option<UserId>,
    /// Only those in which this account takes part too.
    pub counterparty: Option<AccountId>,
    /// Only those of this product.
    pub product: Option<ProductId>,
    /// Only those that have come so far.
    pub status: Option<State>,
    /// Only those of this kind.
    pub kind: Option<Kind>,
    /// Only those that were accepted then.
    pub created: TimeRange,
    /// Only those that count then.
    pub effective: TimeRange,
    /// Only those of such an amount; of several legs one is enough.
    pub amount: Option<AmountRange>,
    /// Only the caller's one of this reference; the other filters do not count then.
    pub reference: Option<String>,
    /// Which way.
    pub order: Order,
    /// Which page.
    pub page: Page,
}

impl Filter {
    /// Whether there is anything that the index does not answer.
    fn is_narrow(&self) -> bool {
        let none = TimeRange::default();
        self.counterparty.is_some()
            || self.product.is_some()
            || self.status.is_some()
            || self.kind.is_some()
            || self.amount.is_some()
            || (self.created, self.effective) != (none, none)
    }
}

/// A page of transactions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Those that were found, in the order that was asked for.
    pub items: Vec<Transaction>,
    /// Whether there may be more.
    pub has_more: bool,
    /// What the next page goes on after, if there is one.
    pub next: Option<Uuid>,
}

/// One page of the transactions that the caller may see.
///
/// # Errors
/// [`Error::NotFound`] when the filter names somebody else's account or user; when the database fails.
pub async fn list(conn: &mut PgConnection, principal: &Principal, filter: &Filter) -> Result<Found, Error> {
    if let Some(reference) = &filter.reference {
        let named = [(principal.user_id, reference.clone())];
        let items = read::by_reference(conn, principal.book, &named).await?;
        return Ok(Found { items, ..Found::default() });
    }
    let among = among(conn, principal, filter).await?;
    let mut found = Found::default();
    let (mut range, limit) = (Range::of(filter), usize::from(filter.page.limit));
    let step = if filter.is_narrow() { SCAN } else { filter.page.fetch_limit() };
    let mut scanned = 0;
    while scanned < SCAN_MAX {
        let ids = candidates::next(conn, principal.book, &among, filter.order, range, step).await?;
        scanned += ids.len();
        let is_last = i64::try_from(ids.len()).is_ok_and(|count| count < step);
        found.items.extend(rows::matching(conn, principal.book, &ids, filter).await?);
        found.next = ids.last().copied();
        found.has_more = !is_last;
        if is_last || found.items.len() > limit {
            break;
        }
        range = range.after(filter.order, ids[ids.len() - 1]);
    }
    if found.items.len() > limit {
        found.items.truncate(limit);
        found.has_more = true;
        found.next = found.items.last().map(|last| last.id.0);
    }
    found.next = found.next.filter(|_| found.has_more);
    Ok(found)
}

/// What the caller may see that the filter's index knows of.
async fn among(conn: &mut PgConnection, principal: &Principal, filter: &Filter) -> Result<Among, Error> {
    if let Some(account) = filter.account {
        wallets::find(conn, principal, account).await?;
        return Ok(Among::Accounts(vec![account.0]));
    }
    if filter.owner.is_some_and(|owner| !principal.is_staff() && owner != principal.user_id) {
        return Err(Error::NotFound);
    }
    let owner = filter.owner.or((!principal.is_staff()).then_some(principal.user_id));
    Ok(match (owner, filter.counterparty, filter.product) {
        (Some(owner), ..) => {
            let own = wallets::of_users(conn, principal.book.shard, &[owner.0]).await?;
            Among::Accounts(own.iter().map(|wallet| wallet.account_id.0).collect())
        }
        (None, Some(account), _) => Among::Accounts(vec![account.0]),
        (None, None, Some(product)) => Among::Product(product.0),
        (None, None, None) => Among::Book,
    })
}
