//! From words and filters to a query of the index.

use super::understand::Word;
use crate::ids::UserId;
use crate::products::Status;

/// The queries of one search, as PostgreSQL writes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Query {
    /// The words with what they may mean.
    pub(super) words: String,
    /// The words as they were typed.
    pub(super) exact: String,
    /// What the index is asked: the words, or the code, of what passes the filters.
    pub(super) filtered: String,
}

/// The filters that the index knows of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tokens<'a> {
    /// Only this owner's.
    pub(super) owner: Option<UserId>,
    /// Only these categories'; none: of any.
    pub(super) categories: Option<&'a [i32]>,
    /// Only of this status.
    pub(super) status: Option<Status>,
}

impl Query {
    /// The queries for these words; `sku` is the whole text in lower case.
    pub(super) fn of(words: &[Word], sku: &str, tokens: &Tokens<'_>) -> Query {
        let exact = joined(words.iter().map(|word| quoted(&word.stem)), " & ");
        let meant = joined(words.iter().map(group), " & ");
        let code = quoted(&format!("=sku:{sku}"));
        let wanted = if words.is_empty() { code } else { format!("(({meant}) | {code})") };
        Query { words: meant, exact, filtered: joined([wanted].into_iter().chain(tokens.terms()), " & ") }
    }
}

impl Tokens<'_> {
    fn terms(&self) -> impl Iterator<Item = String> {
        let owner = self.owner.map(|owner| quoted(&format!("=owner:{owner}")));
        let category = |id: &i32| quoted(&format!("=category:{id}"));
        let categories = self.categories.map(|ids| match ids {
            // Nothing is in a category that there is not.
            [] => quoted("=category:none"),
            ids => format!("({})", joined(ids.iter().map(category), " | ")),
        });
        let status = self.status.map(|status| match status {
            Status::Active => "!'=archived'".to_owned(),
            Status::Archived => "'=archived'".to_owned(),
        });
        [owner, categories, status].into_iter().flatten()
    }
}

/// A word, or anything that it may mean.
fn group(word: &Word) -> String {
    let corrections = word.corrections.iter().map(|(_, stem)| stem);
    let stems = [&word.stem].into_iter().chain(&word.completions).chain(corrections);
    format!("({})", joined(stems.map(|stem| quoted(stem)), " | "))
}

fn joined(parts: impl Iterator<Item = String>, with: &str) -> String {
    parts.collect::<Vec<_>>().join(with)
}

/// A text as one term of a query, whatever it holds.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', r"\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_says_what_each_word_may_mean() {
        let word = |stem: &str, completions: &[&str], corrections: &[&str]| Word {
            given: stem.to_owned(),
            stem: stem.to_owned(),
            completions: completions.iter().map(|&stem| stem.to_owned()).collect(),
            corrections: corrections.iter().map(|&stem| (stem.to_owned(), stem.to_owned())).collect(),
        };
        let words = [word("rde", &[], &["red"]), word("hear", &["heart"], &[])];
        let tokens = Tokens { owner: None, categories: Some(&[3, 7]), status: Some(Status::Active) };
        let query = Query::of(&words, "rde hear", &tokens);
        assert_eq!(query.words, "('rde' | 'red') & ('hear' | 'heart')");
        assert_eq!(query.exact, "'rde' & 'hear'");
        assert_eq!(
            query.filtered,
            "((('rde' | 'red') & ('hear' | 'heart')) | '=sku:rde hear') & ('=category:3' | '=category:7') & !'=archived'"
        );
    }

    #[test]
    fn no_text_gets_out_of_its_quotes() {
        let tokens = Tokens { owner: None, categories: Some(&[]), status: None };
        let query = Query::of(&[], r"a' | \'b", &tokens);
        assert_eq!(query.filtered, r"'=sku:a'' | \\''b' & '=category:none'");
        assert_eq!(query.exact, "");
    }
}
