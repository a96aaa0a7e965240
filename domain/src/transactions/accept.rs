//! Accepts many requests at once: reads what the decisions need in a few statements, decides, saves in one.

use std::collections::{HashMap, HashSet};

use ledger::{Book, Currency};
use sqlx::PgConnection;
use uuid::Uuid;

use super::decide::{Decision, Facts, Named, decide, repeated};
use super::{Kind, NewTransaction, Transaction, read, sell, store, told};
use crate::accounts::{Wallet, wallets};
use crate::events;
use crate::ids::UserId;
use crate::principal::Principal;

/// Decides and saves, in the caller's transaction; decisions come in the order of the requests, each by itself.
///
/// Every request has passed [`NewTransaction::validate`], and every caller acts in `book`. The caller enqueues a job
/// for each accepted one in the same transaction.
///
/// # Errors
/// When the database fails.
pub async fn accept(
    conn: &mut PgConnection,
    book: Book,
    requests: &[(Principal, &NewTransaction)],
) -> sqlx::Result<Vec<Decision>> {
    let mut known = by_reference(conn, book, requests).await?;
    let fresh: Vec<_> = requests.iter().filter(|request| existing(&known, request).is_none()).copied().collect();
    let facts = gather(conn, book, &fresh).await?;
    let decided: Vec<_> = fresh.iter().map(|(principal, new)| decide(principal, new, &facts)).collect();
    let may_be_saved = fresh.iter().zip(&decided).filter_map(|(request, done)| Some((*request, done.as_ref().ok()?)));
    let saved = store::insert(conn, book, may_be_saved.collect()).await?;
    let told: Vec<_> = saved.iter().flatten().map(|transaction| told::accepted(transaction, &facts.wallets)).collect();
    events::publish(conn, book, &told).await?;
    let mut saved = saved.into_iter();
    let mut decided = decided.into_iter();
    let mut decisions: Vec<Option<Decision>> = Vec::with_capacity(requests.len());
    for request in requests {
        decisions.push(match existing(&known, request) {
            Some(transaction) => Some(repeated(request.1, transaction)),
            None => match decided.next().expect("each fresh request was decided") {
                Err(refusal) => Some(Decision::Refused(refusal)),
                Ok(_) => saved.next().expect("each accepted request was offered to the table").map(Decision::Accepted),
            },
        });
    }
    if decisions.iter().any(Option::is_none) {
        // Somebody else saved the same reference in between, or the same batch names it twice.
        known = by_reference(conn, book, requests).await?;
    }
    let late =
        |request| repeated(request_of(request), existing(&known, request).expect("what stood in the way is there"));
    Ok(requests.iter().zip(decisions).map(|(request, done)| done.unwrap_or_else(|| late(request))).collect())
}

/// Transactions by who made them and the reference that they were given.
type Known = HashMap<(UserId, String), Transaction>;

fn request_of<'a>(request: &(Principal, &'a NewTransaction)) -> &'a NewTransaction {
    request.1
}

fn existing<'a>(known: &'a Known, (principal, new): &(Principal, &NewTransaction)) -> Option<&'a Transaction> {
    let reference = new.reference.as_ref()?;
    known.get(&(principal.user_id, reference.clone()))
}

/// The callers' transactions that have one of the requests' references.
async fn by_reference(
    conn: &mut PgConnection,
    book: Book,
    requests: &[(Principal, &NewTransaction)],
) -> sqlx::Result<Known> {
    let named = requests.iter().filter_map(|(principal, new)| Some((principal.user_id, new.reference.clone()?)));
    let named: Vec<_> = named.collect();
    if named.is_empty() {
        return Ok(Known::new());
    }
    let found = read::by_reference(conn, book, &named).await?;
    let key = |transaction: &Transaction| {
        (transaction.created_by, transaction.reference.clone().expect("it was found by its reference"))
    };
    Ok(found.into_iter().map(|transaction| (key(&transaction), transaction)).collect())
}

/// Reads what the decisions need to know: one statement for plain requests, and one more for each thing beyond that.
async fn gather(conn: &mut PgConnection, book: Book, requests: &[(Principal, &NewTransaction)]) -> sqlx::Result<Facts> {
    let mut named = Named::of(requests.iter().map(request_of));
    let mut facts = Facts::default();
    if !named.originals.is_empty() {
        let originals = read::by_id(conn, book, &named.originals).await?;
        named.accounts.extend(originals.iter().flat_map(|original| original.all_legs()).map(|leg| leg.account));
        facts.originals = originals.into_iter().map(|original| (original.id, original)).collect();
    }
    if !named.products.is_empty() {
        let offers = sell::offers(conn, book, &named.products).await?;
        facts.products = offers.into_iter().map(|offer| (offer.id, offer)).collect();
        facts.sellers = sellers(conn, book, requests, &facts).await?;
    }
    if !requests.is_empty() {
        // Those of sellers are read again: from here on, nobody closes a wallet before the commit.
        let sellers = facts.sellers.values().map(|wallet| wallet.account_id);
        let accounts: Vec<_> = named.accounts.iter().copied().chain(sellers).collect();
        facts.wallets = wallets::by_account_guarded(conn, book, &accounts).await?;
    }
    if requests.iter().any(|(_, new)| matches!(new.kind, Kind::Deposit | Kind::Withdrawal)) {
        facts.cash = wallets::cash(conn, book).await?;
    }
    Ok(facts)
}

/// The wallets of those whose products are bought, unless the request is staff's and says all of it itself.
async fn sellers(
    conn: &mut PgConnection,
    book: Book,
    requests: &[(Principal, &NewTransaction)],
    facts: &Facts,
) -> sqlx::Result<HashMap<(UserId, Currency), Wallet>> {
    let is_said = |(principal, new): &(Principal, &NewTransaction)| {
        principal.is_staff() && new.to.is_some() && new.amount.is_some()
    };
    let bought = requests.iter().filter(|one| one.1.is_by_price() && !is_said(one));
    let owners = bought.filter_map(|(_, new)| Some(facts.products.get(&new.product_id?)?.owner.0));
    let owners: Vec<Uuid> = owners.collect::<HashSet<_>>().into_iter().collect();
    if owners.is_empty() {
        return Ok(HashMap::new());
    }
    let found = wallets::of_users(conn, book.shard, &owners).await?;
    Ok(found.into_iter().filter_map(|wallet| Some(((wallet.owner_id?, wallet.currency), wallet))).collect())
}
