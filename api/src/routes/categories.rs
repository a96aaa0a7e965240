//! `/api/v1/categories`

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod update;

use domain::products::CategoryId;

use crate::body::integer::Integer;

/// The number of a category, in a path or a body.
pub(crate) type CategoryNumber = Integer<1, { i32::MAX as i64 }>;

impl From<CategoryNumber> for CategoryId {
    fn from(Integer(number): CategoryNumber) -> CategoryId {
        CategoryId(i32::try_from(number).expect("it is bounded"))
    }
}
