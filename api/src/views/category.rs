//! Categories and their rules.

use domain::products::categories::Category;
use domain::products::rules::Rule;
use poem_openapi::Object;
use serde::Serialize;

/// What products are sorted into.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "Category")]
pub(crate) struct CategoryView {
    /// Its number.
    pub id: i32,
    /// What it is called, in lower case.
    pub name: String,
    /// The one above; null at the top.
    pub parent_id: Option<i32>,
}

impl From<&Category> for CategoryView {
    fn from(category: &Category) -> CategoryView {
        let parent_id = category.parent_id.map(|parent| parent.0);
        CategoryView { id: category.id.0, name: category.name.clone(), parent_id }
    }
}

/// A product whose name holds the keyword is of the category, unless a rule before this one says otherwise.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "CategoryRule")]
pub(crate) struct RuleView {
    /// Its number.
    pub id: i32,
    /// Lower ranks are tried first; the number breaks a tie.
    pub rank: i32,
    /// In upper case; found anywhere in the upper-cased name.
    pub keyword: String,
    /// What the product becomes.
    pub category_id: i32,
}

impl From<&Rule> for RuleView {
    fn from(rule: &Rule) -> RuleView {
        RuleView { id: rule.id.0, rank: rule.rank, keyword: rule.keyword.clone(), category_id: rule.category_id.0 }
    }
}
