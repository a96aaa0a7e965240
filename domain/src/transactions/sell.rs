//! Buying a product at its price: who is paid and how much follow from the product, as it is in the commit of the purchase.

use ledger::money::MINOR_MAX;
use ledger::{Book, Currency, Money};
use sqlx::PgConnection;
use uuid::Uuid;

use super::NewTransaction;
use super::decide::{Facts, Movement, Refusal, refuse};
use crate::ids::{ProductId, UserId};
use crate::principal::Principal;

/// What a product is sold for, and by whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Offer {
    pub(super) id: ProductId,
    pub(super) owner: UserId,
    pub(super) price: Money,
    pub(super) is_archived: bool,
}

/// What a purchase comes to. Only staff may say themselves what is paid and to whom; others may say what they take it to be.
pub(super) fn sale(principal: &Principal, new: &NewTransaction, facts: &Facts) -> Result<Movement, Refusal> {
    let from = new.from.expect("validated: a purchase names who pays");
    let product = new.product_id.expect("a sale is of a product");
    let missing = || refuse("product_not_found", "/product_id", format!("there is no product {product}"));
    let offer = facts.products.get(&product).ok_or_else(missing)?;
    if offer.is_archived {
        return Err(refuse("product_archived", "/product_id", format!("product {product} is no longer sold")));
    }
    if let Some(expected) = new.expected_price.filter(|expected| *expected != offer.price) {
        return Err(price_changed("/expected_price", expected, offer.price));
    }
    if let (true, Some(to), Some(amount)) = (principal.is_staff(), new.to, new.amount) {
        return Ok(Movement::of(new, from, to, amount));
    }
    let quantity = new.quantity.unwrap_or(1);
    let total = total(offer.price, quantity)?;
    if let Some(amount) = new.amount.filter(|amount| !principal.is_staff() && *amount != total) {
        return Err(price_changed("/amount", amount, total));
    }
    let seller = facts.sellers.get(&(offer.owner, offer.price.currency)).ok_or_else(|| {
        let detail = format!("the seller has no account in {}", offer.price.currency.code());
        refuse("seller_has_no_account", "/product_id", detail)
    })?;
    let to = new.to.filter(|_| principal.is_staff()).unwrap_or(seller.account_id);
    if new.to.is_some_and(|given| given != to) {
        return Err(refuse("not_the_seller", "/to", "this is not the account of who sells it".to_owned()));
    }
    if from == to {
        return Err(refuse("same_account", "/from", "the seller does not buy from itself".to_owned()));
    }
    let movement = Movement::of(new, from, to, new.amount.unwrap_or(total));
    Ok(Movement { quantity: Some(quantity), ..movement })
}

/// What so many of it cost.
fn total(price: Money, quantity: i32) -> Result<Money, Refusal> {
    let minor = price.minor.checked_mul(i128::from(quantity)).filter(|minor| (1..=MINOR_MAX).contains(minor));
    let detail = || format!("{quantity} times {} is more than any amount can be", price.to_decimal_string());
    let minor = minor.ok_or_else(|| refuse("amount_out_of_range", "/quantity", detail()))?;
    Ok(Money { minor, ..price })
}

fn price_changed(pointer: &'static str, expected: Money, is: Money) -> Refusal {
    let shown = |money: Money| format!("{} {}", money.to_decimal_string(), money.currency.code());
    refuse("price_changed", pointer, format!("it is {} now, not {}", shown(is), shown(expected)))
}

/// What the book offers of these products.
pub(super) async fn offers(conn: &mut PgConnection, book: Book, ids: &[Uuid]) -> sqlx::Result<Vec<Offer>> {
    let rows = sqlx::query!(
        "select found.id, found.owner_id, found.price, found.currency, found.status
         from unnest($2::uuid[]) as input (wanted)
         -- One look-up in the primary key for each, whatever the planner thinks of the table.
         cross join lateral (
             select *
             from app.product
             where shard = $1 and id = input.wanted
             offset 0
         ) as found
         where found.book_id = $3",
        book.shard,
        ids,
        book.id,
    )
    .fetch_all(conn)
    .await?;
    let mut offers = Vec::with_capacity(rows.len());
    for row in rows {
        let currency = Currency::parse(&row.currency).expect("only known currencies are written");
        let price = Money { minor: i128::from(row.price), currency };
        let (id, owner, is_archived) = (ProductId(row.id), UserId(row.owner_id), row.status == "archived");
        offers.push(Offer { id, owner, price, is_archived });
    }
    Ok(offers)
}
