//! R8, the requests' half: an id means one thing: what was recorded under it is what was asked for.

use ledger::leaf::{Leaf, LeafLeg};
use ledger::reconcile::{Class, Found, Page, Place};
use ledger::{Leg, TransactionId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::Window;
use crate::transactions::record::{self, ToRecord};

/// Leaves in a page.
const LEAVES: i64 = 8_192;

/// Does one page of the window's leaves.
///
/// # Errors
/// When the database fails.
pub async fn page(conn: &mut PgConnection, window: &Window, place: Option<Place>) -> sqlx::Result<Page> {
    let scope = &window.ledger;
    let start = match place {
        None => scope.from,
        Some(Place::Seq(seq)) => seq,
        Some(other) => unreachable!("leaves are gone on with at a leaf, not at {other:?}"),
    };
    let stop = scope.size.min(start + LEAVES);
    let rows = sqlx::query!(
        "select id, leaf
         from ledger.transaction
         where shard = $1 and book = $2 and seq >= $3 and seq < $4",
        scope.book.shard,
        scope.book.id,
        start,
        stop,
    )
    .fetch_all(&mut *conn)
    .await?;
    let mut leaves: Vec<(Uuid, Vec<u8>)> = rows.into_iter().map(|row| (row.id, row.leaf)).collect();
    leaves.sort_unstable_by_key(|(id, _)| *id);
    let ids: Vec<TransactionId> = leaves.iter().map(|(id, _)| TransactionId(*id)).collect();
    let mut found = Vec::new();
    for request in record::load(conn, scope.book.shard, &ids).await? {
        let place = leaves.binary_search_by_key(&request.posting.id.0, |(id, _)| *id);
        let leaf = place.ok().and_then(|place| Leaf::decode(&leaves[place].1).ok());
        found.extend(leaf.and_then(|leaf| difference(&request, &leaf)));
    }
    let next = (stop < scope.size).then_some(Place::Seq(stop));
    Ok(Page { found, scanned: leaves.len() as u64, next, frontier: None })
}

/// What a request and its leaf do not agree on.
fn difference(request: &ToRecord, leaf: &Leaf) -> Option<Found> {
    let posting = &request.posting;
    let leg = |leg: &LeafLeg| Leg { account: leg.account, amount: leg.amount.into() };
    let legs: Vec<Leg> = leaf.legs.iter().map(leg).collect();
    let currency = |index: usize| request.legs.get(index).map_or(&*request.currency, |leg| leg.amount.currency.code());
    let is_of_currency = leaf.legs.iter().enumerate().all(|(index, leg)| leg.currency.code() == currency(index));
    let effective_at = posting.effective_at.unwrap_or(leaf.recorded_at);
    let same = [
        ("book", leaf.book == request.book.id),
        ("code", leaf.code == posting.code),
        ("legs", legs == posting.legs),
        ("currency", is_of_currency),
        ("effective_at", leaf.effective_at.timestamp_micros() == effective_at.timestamp_micros()),
        ("act", leaf.act == posting.act),
        ("metadata", request.is_erased || leaf.metadata_hash == posting.metadata_hash),
    ];
    let wrong: Vec<&str> = same.into_iter().filter(|(_, same)| !same).map(|(field, _)| field).collect();
    if wrong.is_empty() {
        return None;
    }
    let detail = format!("request {} was recorded with other {}", posting.id, wrong.join(", "));
    let found = Found::new(Class::R8, "request_differs", ("transaction", posting.id.to_string()), detail);
    Some(found.amount(request.amount.into(), request.currency.clone()))
}
