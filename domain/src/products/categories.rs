//! The tree of categories: small, and shared by all books.

use std::fmt;

use sqlx::PgConnection;

use crate::audit;
use crate::error::Error;
use crate::principal::Principal;

/// The number of a category.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CategoryId(pub i32);

impl fmt::Display for CategoryId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A category.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Category {
    /// Its number.
    pub id: CategoryId,
    /// What it is called.
    pub name: String,
    /// The one above; none at the top.
    pub parent_id: Option<CategoryId>,
}

/// What a category is to become; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// Its new name.
    pub name: Option<String>,
    /// Where it moves to; `Some(None)`: to the top.
    pub parent: Option<Option<CategoryId>>,
}

/// No more than this many: they are read whole.
pub const CATEGORIES_MAX: usize = 1_000;

/// Levels of the tree.
pub const DEPTH_MAX: usize = 10;

/// All of them, by their numbers.
///
/// # Errors
/// When the database fails.
pub async fn list(conn: &mut PgConnection) -> sqlx::Result<Vec<Category>> {
    let rows = sqlx::query!("select id, name, parent_id from app.category order by id").fetch_all(conn).await?;
    let category =
        |id, name, parent: Option<i32>| Category { id: CategoryId(id), name, parent_id: parent.map(CategoryId) };
    Ok(rows.into_iter().map(|row| category(row.id, row.name, row.parent_id)).collect())
}

/// One of them.
///
/// # Errors
/// [`Error::NotFound`]; when the database fails.
pub async fn find(conn: &mut PgConnection, id: CategoryId) -> Result<Category, Error> {
    let row =
        sqlx::query!("select id, name, parent_id from app.category where id = $1", id.0).fetch_optional(conn).await?;
    let row = row.ok_or(Error::NotFound)?;
    Ok(Category { id, name: row.name, parent_id: row.parent_id.map(CategoryId) })
}

/// The category and all below it; nothing when there is no such category.
pub(super) async fn below(conn: &mut PgConnection, id: CategoryId) -> sqlx::Result<Vec<i32>> {
    sqlx::query_scalar!(
        r#"with recursive found (id) as (
               select category.id
               from app.category
               where category.id = $1
               -- `union` ends even where there is a ring.
               union
               select category.id
               from found
               join app.category on category.parent_id = found.id
           )
           select id as "id!" from found order by id"#,
        id.0,
    )
    .fetch_all(conn)
    .await
}

/// Adds a category.
///
/// # Errors
/// [`Error::Conflict`] `name_taken`, `too_many_categories` or `too_deep`; [`Error::Invalid`] when there is no such parent; when the
/// database fails.
pub async fn create(
    conn: &mut PgConnection,
    principal: &Principal,
    name: &str,
    parent: Option<CategoryId>,
) -> Result<Category, Error> {
    let name = name.to_lowercase();
    let tree = Tree::locked(conn).await?;
    tree.check_name(&name, None)?;
    if tree.0.len() >= CATEGORIES_MAX {
        return Err(conflict(
            "too_many_categories",
            format!("there are {CATEGORIES_MAX} categories, and no more are taken"),
        ));
    }
    tree.check_parent(None, parent)?;
    let id = sqlx::query_scalar!(
        "insert into app.category (name, parent_id) values ($1, $2) returning id",
        name,
        parent.map(|parent| parent.0),
    );
    let id = CategoryId(id.fetch_one(&mut *conn).await?);
    let detail = serde_json::json!({ "name": name, "parent_id": parent.map(|parent| parent.0) });
    audit::record(conn, principal, "category.create", &id.to_string(), detail).await?;
    Ok(Category { id, name, parent_id: parent })
}

/// Renames or moves a category.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Conflict`] `name_taken`, `category_cycle` or `too_deep`; [`Error::Invalid`] when there is no such
/// parent; when the database fails.
pub async fn update(
    conn: &mut PgConnection,
    principal: &Principal,
    id: CategoryId,
    change: &Change,
) -> Result<Category, Error> {
    let tree = Tree::locked(conn).await?;
    let mut category = tree.find(id).ok_or(Error::NotFound)?.clone();
    if let Some(name) = &change.name {
        category.name = name.to_lowercase();
        tree.check_name(&category.name, Some(id))?;
    }
    if let Some(parent) = change.parent {
        tree.check_parent(Some(id), parent)?;
        category.parent_id = parent;
    }
    let parent = category.parent_id.map(|parent| parent.0);
    sqlx::query!("update app.category set name = $2, parent_id = $3 where id = $1", id.0, category.name, parent)
        .execute(&mut *conn)
        .await?;
    let detail = serde_json::json!({ "name": category.name, "parent_id": parent });
    audit::record(conn, principal, "category.update", &id.to_string(), detail).await?;
    Ok(category)
}

/// Removes a category that nothing is in.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Conflict`] `category_in_use` when a product, a rule or another category needs it; when the database
/// fails.
pub async fn delete(conn: &mut PgConnection, principal: &Principal, id: CategoryId) -> Result<(), Error> {
    Tree::locked(conn).await?.find(id).ok_or(Error::NotFound)?;
    // Whoever puts a product into it locks the row as well, and then does not find it.
    sqlx::query!("select id from app.category where id = $1 for update", id.0).fetch_one(&mut *conn).await?;
    let used_by = sqlx::query_scalar!(
        "select case
             when exists (select from app.category where parent_id = $2) then 'another category'
             when exists (select from app.category_rule where category_id = $2) then 'a rule'
             when exists (select from app.product where shard = $1 and category_id = $2) then 'a product'
         end",
        principal.book.shard,
        id.0,
    );
    if let Some(user) = used_by.fetch_one(&mut *conn).await? {
        return Err(conflict("category_in_use", format!("{user} is in this category")));
    }
    sqlx::query!("delete from app.category where id = $1", id.0).execute(&mut *conn).await?;
    audit::record(conn, principal, "category.delete", &id.to_string(), serde_json::json!({})).await?;
    Ok(())
}

/// Refuses a category that is not there, and keeps one that is from being deleted before this transaction ends.
///
/// # Errors
/// [`Error::Invalid`] at `pointer`; when the database fails.
pub(super) async fn hold(conn: &mut PgConnection, id: CategoryId, pointer: &str) -> Result<(), Error> {
    let found = sqlx::query_scalar!("select id from app.category where id = $1 for key share", id.0);
    match found.fetch_optional(conn).await? {
        Some(_) => Ok(()),
        None => Err(unknown(pointer, id)),
    }
}

fn unknown(pointer: &str, id: CategoryId) -> Error {
    Error::field(pointer, "unknown_category", format!("there is no category {id}"))
}

fn conflict(code: &'static str, detail: String) -> Error {
    Error::Conflict { code, detail, existing: None }
}

/// All categories, while nobody else changes them.
struct Tree(Vec<Category>);

impl Tree {
    /// Reads it; others who change it wait until this transaction has ended, those who read it do not.
    async fn locked(conn: &mut PgConnection) -> sqlx::Result<Tree> {
        sqlx::query!("lock table app.category in share row exclusive mode").execute(&mut *conn).await?;
        Ok(Tree(list(conn).await?))
    }

    fn find(&self, id: CategoryId) -> Option<&Category> {
        self.0.iter().find(|category| category.id == id)
    }

    fn check_name(&self, name: &str, own: Option<CategoryId>) -> Result<(), Error> {
        match self.0.iter().find(|category| category.name == name && Some(category.id) != own) {
            Some(other) => Err(conflict("name_taken", format!("category {} is called {name}", other.id))),
            None => Ok(()),
        }
    }

    /// Whether `moved`, or a new category, may stand under `parent`.
    fn check_parent(&self, moved: Option<CategoryId>, parent: Option<CategoryId>) -> Result<(), Error> {
        let Some(parent) = parent else { return Ok(()) };
        if self.find(parent).is_none() {
            return Err(unknown("/parent_id", parent));
        }
        let above = self.above(parent);
        if moved.is_some_and(|moved| above.contains(&moved)) {
            return Err(conflict("category_cycle", format!("category {parent} is itself below this one")));
        }
        let levels = above.len() + moved.map_or(1, |moved| self.height(moved));
        if levels > DEPTH_MAX {
            return Err(conflict("too_deep", format!("the tree would have {levels} levels, more than {DEPTH_MAX}")));
        }
        Ok(())
    }

    /// The category and what is above it, from below.
    fn above(&self, id: CategoryId) -> Vec<CategoryId> {
        let mut found = vec![id];
        let mut next = self.find(id).and_then(|category| category.parent_id);
        while let Some(id) = next.filter(|id| !found.contains(id)) {
            found.push(id);
            next = self.find(id).and_then(|category| category.parent_id);
        }
        found
    }

    /// Levels from this category down.
    fn height(&self, id: CategoryId) -> usize {
        let below = self.0.iter().map(|category| self.above(category.id));
        below.filter_map(|path| path.iter().position(|above| *above == id)).max().map_or(1, |steps| steps + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers of parents, from category 1 on; 0 for none.
    fn tree(parents: &[i32]) -> Tree {
        let category = |(index, parent): (i32, &i32)| Category {
            id: CategoryId(index),
            name: format!("c{index}"),
            parent_id: (*parent != 0).then_some(CategoryId(*parent)),
        };
        Tree((1..).zip(parents).map(category).collect())
    }

    fn refusal(tree: &Tree, moved: Option<i32>, parent: i32) -> Option<&'static str> {
        match tree.check_parent(moved.map(CategoryId), Some(CategoryId(parent))) {
            Ok(()) => None,
            Err(Error::Conflict { code, .. }) => Some(code),
            Err(Error::Invalid(fields)) => Some(fields[0].code),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn a_category_never_gets_below_itself() {
        let tree = tree(&[0, 1, 2, 0]);
        assert_eq!(refusal(&tree, Some(1), 3), Some("category_cycle"));
        assert_eq!(refusal(&tree, Some(1), 1), Some("category_cycle"));
        assert_eq!(refusal(&tree, Some(1), 4), None);
        assert_eq!(refusal(&tree, Some(3), 1), None);
        assert_eq!(refusal(&tree, None, 9), Some("unknown_category"));
    }

    #[test]
    fn the_tree_has_ten_levels_at_most() {
        let chain: Vec<i32> = (0..10).collect();
        let tree = tree(&[chain, vec![0, 11]].concat());
        assert_eq!(refusal(&tree, None, 10), Some("too_deep"));
        assert_eq!(refusal(&tree, None, 9), None);
        assert_eq!(refusal(&tree, Some(11), 9), Some("too_deep"), "it brings a level with it");
    }
}
