//! Finds products by words: whole ones, the beginning of the last one, and misspelt ones.
//!
//! A word is looked up in `app.product_word`, the words that the book's products have, for what it may be the beginning of and for what
//! may have been meant. What comes of it is one query of the index over `app.product.search`, in which owner, category and status stand
//! as words, too. Nothing grows with the number of products but the reading of the index: at most [`LOOKED_AT_MAX`] matches are looked
//! at and ranked, and an answer says when there are more.

mod query;
mod typo;
mod understand;

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::{CategoryId, Prices, Product, Status, categories, read};
use crate::error::Error;
use crate::ids::UserId;
use crate::page::{LIMIT_DEFAULT, Listed, Page};
use crate::principal::Principal;
use query::{Query, Tokens};
use understand::Word;

/// Matches that one search ranks.
pub const LOOKED_AT_MAX: usize = 1_000;

/// Matches that one search looks at when filters that the index does not know of, prices and times, may leave out most of them.
pub const FILTERED_MAX: usize = 5_000;

/// One possible plan: the statistics of a growing table are always wrong, and a page has to see the matches in the order that the page
/// before it saw them in.
const PLANNER: [(&str, &str); 4] =
    [("enable_seqscan", "off"), ("enable_indexscan", "off"), ("max_parallel_workers_per_gather", "0"), ("jit", "off")];

/// What to search for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// The words.
    pub text: String,
    /// Only this owner's.
    pub owner: Option<UserId>,
    /// Only those of this category or of one below it.
    pub category: Option<CategoryId>,
    /// Only those of this status; none: of any.
    pub status: Option<Status>,
    /// Only those with such a price.
    pub prices: Prices,
    /// Only those created then or later.
    pub created_from: Option<DateTime<Utc>>,
    /// Only those created before.
    pub created_before: Option<DateTime<Utc>>,
}

/// Where a product stands among what was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// How well it fits; comparable within one search only.
    pub rank: f32,
    /// The product.
    pub id: Uuid,
}

/// Which part of what was found to show.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Part {
    /// What comes after this one.
    pub after: Option<Place>,
    /// At most so many, from 1 to [`LIMIT_MAX`](crate::page::LIMIT_MAX).
    pub limit: u16,
}

impl Default for Part {
    fn default() -> Part {
        Part { after: None, limit: LIMIT_DEFAULT }
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The part that was asked for, best first, each with how well it fits.
    pub products: Listed<(Product, f32)>,
    /// How many products of each category there are among the matches, most first; none: those without a category.
    pub facets: Vec<(Option<CategoryId>, u32)>,
    /// How many matches there are.
    pub matches: u32,
    /// Whether that is all of them; otherwise there are at least so many, and the others were not ranked.
    pub is_exact: bool,
    /// Words that no product has, each with those that were searched for besides.
    pub corrections: Vec<(String, Vec<String>)>,
}

/// A product that matches.
#[derive(Debug, Clone, Copy)]
struct Match {
    place: Place,
    category: Option<i32>,
}

/// Searches the book's products.
///
/// # Errors
/// When the database fails.
pub async fn search(
    conn: &mut PgConnection,
    principal: &Principal,
    search: &Search,
    part: &Part,
) -> Result<Found, Error> {
    let mut tx = conn.begin().await?;
    plan(&mut tx).await?;
    let words = understand::understand(&mut tx, principal, &search.text).await?;
    let (mut matches, is_exact) = matching(&mut tx, principal, search, &words).await?;
    matches.sort_unstable_by(|one, other| better_first(one.place, other.place));
    let facets = facets(&matches);
    let count = u32::try_from(matches.len()).expect("the matches are bounded");
    let products = page(&mut tx, principal, &matches, part).await?;
    tx.commit().await?;
    Ok(Found { products, facets, matches: count, is_exact, corrections: corrections(&words) })
}

/// Puts [`PLANNER`] in force for this transaction.
async fn plan(conn: &mut PgConnection) -> sqlx::Result<()> {
    let (names, values): (Vec<_>, Vec<_>) = PLANNER.iter().map(|(name, value)| (*name, *value)).unzip();
    sqlx::query!(
        "select set_config(setting.name, setting.value, true)
         from unnest($1::text[], $2::text[]) as setting (name, value)",
        &names as &[&str],
        &values as &[&str],
    )
    .fetch_all(conn)
    .await?;
    Ok(())
}

/// The matches in any order, and whether they are all.
async fn matching(
    conn: &mut PgConnection,
    principal: &Principal,
    search: &Search,
    words: &[Word],
) -> Result<(Vec<Match>, bool), Error> {
    let categories = match search.category {
        Some(category) => Some(categories::below(conn, category).await?),
        None => None,
    };
    let tokens = Tokens { owner: search.owner, categories: categories.as_deref(), status: search.status };
    let sku = search.text.trim().to_lowercase();
    let query = Query::of(words, &sku, &tokens);
    let is_filtered = search.prices != Prices::default() || search.created_from.or(search.created_before).is_some();
    let most = if is_filtered { FILTERED_MAX } else { LOOKED_AT_MAX };
    let rows = sqlx::query_file!(
        "src/products/search/matches.sql",
        principal.book.shard,
        principal.book.id,
        query.words,
        query.exact,
        sku,
        query.filtered,
        search.prices.code(),
        search.prices.min,
        search.prices.max,
        search.created_from,
        search.created_before,
        // One more, which tells whether there are more.
        i64::try_from(most + 1).expect("the bound is small"),
    )
    .fetch_all(conn)
    .await?;
    let is_all_seen = rows.len() <= most;
    let wanted = rows
        .into_iter()
        .filter_map(|row| Some(Match { place: Place { rank: row.rank?, id: row.id }, category: row.category_id }));
    let mut matches: Vec<Match> = wanted.collect();
    let is_exact = is_all_seen && matches.len() <= LOOKED_AT_MAX;
    matches.truncate(LOOKED_AT_MAX);
    Ok((matches, is_exact))
}

/// Better ones before worse ones, and among equals later ones before earlier ones.
fn better_first(one: Place, other: Place) -> std::cmp::Ordering {
    other.rank.total_cmp(&one.rank).then(other.id.cmp(&one.id))
}

/// How many matches each category has, most first.
fn facets(matches: &[Match]) -> Vec<(Option<CategoryId>, u32)> {
    let mut counts: BTreeMap<Option<i32>, u32> = BTreeMap::new();
    for found in matches {
        *counts.entry(found.category).or_default() += 1;
    }
    let mut facets: Vec<_> = counts.into_iter().map(|(category, count)| (category.map(CategoryId), count)).collect();
    facets.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    facets
}

/// The part of the ordered matches that was asked for.
async fn page(
    conn: &mut PgConnection,
    principal: &Principal,
    matches: &[Match],
    part: &Part,
) -> sqlx::Result<Listed<(Product, f32)>> {
    let is_shown = |found: &&Match| part.after.is_none_or(|after| better_first(found.place, after).is_gt());
    let places: Vec<Place> =
        matches.iter().filter(is_shown).map(|found| found.place).take(usize::from(part.limit) + 1).collect();
    let places = Page { after: None, limit: part.limit }.cut(places);
    let ids: Vec<Uuid> = places.items.iter().map(|place| place.id).collect();
    let ranks: HashMap<Uuid, f32> = places.items.iter().map(|place| (place.id, place.rank)).collect();
    let products = read::in_order(conn, principal, &ids).await?;
    let items = products.into_iter().filter_map(|product| Some((ranks.get(&product.id.0).copied()?, product)));
    Ok(Listed { items: items.map(|(rank, product)| (product, rank)).collect(), has_more: places.has_more })
}

fn corrections(words: &[Word]) -> Vec<(String, Vec<String>)> {
    let corrected = words.iter().filter(|word| !word.corrections.is_empty());
    corrected
        .map(|word| (word.given.clone(), word.corrections.iter().map(|(word, _)| word.clone()).collect()))
        .collect()
}
