//! Products from a file, with the category that the file names or that the rules give.

use std::collections::{HashMap, HashSet};

use ledger::{AmountError, Currency, Money};
use sqlx::PgConnection;
use uuid::Uuid;

use super::fields::{Fault, Fields};
use super::rows::Outcome;
use super::{Kind, Source};
use crate::error::Error;
use crate::ids::ProductId;
use crate::products::{NewProduct, categorize};

/// A row that may become a product.
struct Candidate {
    /// Its place in the batch.
    place: usize,
    id: ProductId,
    product: NewProduct,
    category: Option<i32>,
}

/// Creates the products of a batch; the outcomes are in the order of the rows.
pub(super) async fn write(conn: &mut PgConnection, source: &Source, rows: Vec<Fields>) -> sqlx::Result<Vec<Outcome>> {
    let categories = categories(conn, &rows).await?;
    let (mut outcomes, mut candidates) = (Vec::with_capacity(rows.len()), Vec::new());
    for (place, mut row) in rows.into_iter().enumerate() {
        match read(&mut row, &categories) {
            Ok((product, category)) => {
                candidates.push(Candidate { place, id: ProductId::new(), product, category });
                outcomes.push(Outcome::Created);
            }
            Err(faults) => outcomes.push(Outcome::Refused(faults)),
        }
    }
    by_rule(conn, &mut candidates).await?;
    // In one order everywhere: an insert waits for another of its code, so two imports could wait for each other. It is
    // stable, so the first of two rows with one code is the one created.
    candidates.sort_by(|one, other| one.product.sku.cmp(&other.product.sku));
    let created = insert(conn, source, &candidates).await?;
    for candidate in candidates.iter().filter(|candidate| !created.contains(&candidate.id.0)) {
        let fault = Fault::of("sku", "sku_taken", "another of the owner's products has this code");
        outcomes[candidate.place] = Outcome::Exists(fault);
    }
    Ok(outcomes)
}

/// The product and the category that the row names.
fn read(row: &mut Fields, categories: &HashMap<String, i32>) -> Result<(NewProduct, Option<i32>), Vec<Fault>> {
    let mut faults = row.missing();
    let price = match (row.get("price"), row.get("currency")) {
        (Some(price), Some(currency)) => money(price, currency).map_err(|fault| faults.push(fault)).ok(),
        _ => None,
    };
    let category = row.get("category").map(|name| categories.get(&name.to_lowercase()).copied());
    if category == Some(None) {
        faults.push(Fault::of("category", "unknown_category", "there is no category of this name"));
    }
    let Some(price) = price.filter(|_| faults.is_empty()) else { return Err(faults) };
    let mut text = |name| row.take(name);
    let (sku, name) = (text("sku").unwrap_or_default(), text("name").unwrap_or_default());
    let product = NewProduct { sku, name, description: text("description"), price };
    match product.validate() {
        Ok(()) => Ok((product, category.flatten())),
        Err(Error::Invalid(errors)) => {
            Err(errors.into_iter().map(|error| Fault::from_check(Kind::Products, error)).collect())
        }
        Err(error) => Err(vec![Fault::of_row("invalid", error.to_string())]),
    }
}

fn money(amount: &str, currency: &str) -> Result<Money, Fault> {
    let unknown = |_| Fault::of("currency", "unknown_currency", "this must be a code of ISO 4217, such as GBP");
    let currency = Currency::parse(currency).map_err(unknown)?;
    Money::parse(amount, currency).map_err(|error| {
        let code = match error {
            AmountError::Malformed => "malformed_amount",
            AmountError::TooManyDecimals { .. } => "too_many_decimals",
            AmountError::OutOfRange => "out_of_range",
        };
        Fault::of("price", code, error.to_string())
    })
}

/// The categories by their names, if a row names one.
async fn categories(conn: &mut PgConnection, rows: &[Fields]) -> sqlx::Result<HashMap<String, i32>> {
    if rows.iter().all(|row| row.get("category").is_none()) {
        return Ok(HashMap::new());
    }
    let all = sqlx::query!("select id, lower(name) as \"name!\" from app.category").fetch_all(conn).await?;
    Ok(all.into_iter().map(|row| (row.name, row.id)).collect())
}

/// Gives those without a category the one that a rule finds.
async fn by_rule(conn: &mut PgConnection, candidates: &mut [Candidate]) -> sqlx::Result<()> {
    let open: Vec<&mut Candidate> = candidates.iter_mut().filter(|candidate| candidate.category.is_none()).collect();
    let names: Vec<String> = open.iter().map(|candidate| candidate.product.name.clone()).collect();
    let found = categorize::of_names(conn, &names).await?;
    for (candidate, category) in open.into_iter().zip(found) {
        candidate.category = category;
    }
    Ok(())
}

/// Inserts those whose code is free, and tells which.
async fn insert(conn: &mut PgConnection, source: &Source, candidates: &[Candidate]) -> sqlx::Result<HashSet<Uuid>> {
    let products = || candidates.iter().map(|candidate| &candidate.product);
    let ids: Vec<Uuid> = candidates.iter().map(|candidate| candidate.id.0).collect();
    let skus: Vec<String> = products().map(|product| product.sku.clone()).collect();
    let names: Vec<String> = products().map(|product| product.name.clone()).collect();
    let descriptions: Vec<Option<String>> = products().map(|product| product.description.clone()).collect();
    let price = |product: &NewProduct| i64::try_from(product.price.minor).expect("money is parsed within bounds");
    let prices: Vec<i64> = products().map(price).collect();
    let currencies: Vec<String> = products().map(|product| product.price.currency.code().to_owned()).collect();
    let categories: Vec<Option<i32>> = candidates.iter().map(|candidate| candidate.category).collect();
    let created = sqlx::query_scalar!(
        "insert into app.product
             (shard, book_id, id, owner_id, sku, name, description, price, currency, category_id)
         select $1, $2, input.id, $3, input.sku, input.name, input.description, input.price, input.currency, input.category
         from unnest($4::uuid[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::text[], $10::integer[])
             as input (id, sku, name, description, price, currency, category)
         on conflict (shard, owner_id, sku) do nothing
         returning id",
        source.book.shard,
        source.book.id,
        source.owner.0,
        &ids,
        &skus,
        &names,
        &descriptions as &[Option<String>],
        &prices,
        &currencies,
        &categories as &[Option<i32>],
    )
    .fetch_all(conn)
    .await?;
    Ok(created.into_iter().collect())
}
