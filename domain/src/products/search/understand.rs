//! What the words of a search mean: as typed, completed, or corrected.

use sqlx::PgConnection;

use super::typo::{distance, mistakes_max};
use crate::principal::Principal;

/// Words of a search that count; those after them are not looked at.
const WORDS_MAX: i64 = 8;
/// Words of the catalogue that are looked at for each of them.
const CANDIDATES_MAX: i64 = 50;
/// Corrections of one word.
const CORRECTIONS_MAX: usize = 5;
/// Completions of one word are taken until so many products have them: the index reads as many entries.
const COMPLETED_PRODUCTS_MAX: i64 = 30_000;

/// One word of a search, stop words excepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    /// As it was typed, in lower case.
    pub(super) given: String,
    /// Its stem.
    pub(super) stem: String,
    /// Stems of what it may be the beginning of.
    pub(super) completions: Vec<String>,
    /// What may have been meant, as it is written, with its stem.
    pub(super) corrections: Vec<(String, String)>,
}

/// A row: a word that was typed, and a word of the catalogue that may be meant.
struct Row {
    given: String,
    stem: Option<String>,
    word: Option<String>,
    word_stem: Option<String>,
    products: Option<i32>,
    is_correction: Option<bool>,
}

/// A word of the catalogue.
struct Candidate {
    word: String,
    stem: String,
    products: i64,
    is_correction: bool,
}

/// The words of `text`, in their order.
pub(super) async fn understand(conn: &mut PgConnection, principal: &Principal, text: &str) -> sqlx::Result<Vec<Word>> {
    let rows = sqlx::query_file_as!(
        Row,
        "src/products/search/understand.sql",
        principal.book.shard,
        principal.book.id,
        text,
        WORDS_MAX,
        CANDIDATES_MAX,
    )
    .fetch_all(conn)
    .await?;
    let words = rows.chunk_by(|one, next| one.given == next.given);
    Ok(words.filter_map(word).collect())
}

/// One word from its rows; none when it is a stop word.
fn word(rows: &[Row]) -> Option<Word> {
    let first = rows.first()?;
    let (given, stem) = (first.given.clone(), first.stem.clone()?);
    let candidates: Vec<Candidate> = rows.iter().filter_map(candidate).collect();
    let completions = completions(&stem, &candidates);
    let corrections = if completions.is_empty() { corrections(&given, &candidates) } else { Vec::new() };
    Some(Word { given, stem, completions, corrections })
}

fn candidate(row: &Row) -> Option<Candidate> {
    let (word, stem) = (row.word.clone()?, row.word_stem.clone()?);
    Some(Candidate { word, stem, products: row.products?.into(), is_correction: row.is_correction? })
}

/// The most frequent ones, as far as the index can bear them.
fn completions(stem: &str, candidates: &[Candidate]) -> Vec<String> {
    let mut products = 0;
    let mut found: Vec<String> = Vec::new();
    for candidate in candidates.iter().filter(|candidate| !candidate.is_correction && candidate.stem != stem) {
        products += candidate.products;
        if products > COMPLETED_PRODUCTS_MAX && !found.is_empty() {
            break;
        }
        if !found.contains(&candidate.stem) {
            found.push(candidate.stem.clone());
        }
    }
    found
}

/// Those with the fewest mistakes, the most frequent first.
fn corrections(given: &str, candidates: &[Candidate]) -> Vec<(String, String)> {
    let most = mistakes_max(given.chars().count());
    let far = |candidate: &&Candidate| distance(given, &candidate.word);
    let near: Vec<(usize, &Candidate)> = candidates
        .iter()
        .filter(|candidate| candidate.is_correction)
        .map(|candidate| (far(&candidate), candidate))
        .filter(|(mistakes, _)| *mistakes <= most)
        .collect();
    let Some(least) = near.iter().map(|(mistakes, _)| *mistakes).min() else { return Vec::new() };
    let nearest = near.into_iter().filter(|(mistakes, _)| *mistakes == least);
    nearest.take(CORRECTIONS_MAX).map(|(_, candidate)| (candidate.word.clone(), candidate.stem.clone())).collect()
}
