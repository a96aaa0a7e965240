//! `/api/v1/category-rules`

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod update;

use domain::products::rules::RuleId;

use crate::body::integer::Integer;

/// The number of a rule, in a path.
pub(crate) type RuleNumber = Integer<1, { i32::MAX as i64 }>;

/// The rank of a rule.
pub(crate) type Rank = Integer<0, 1_000_000>;

fn rule_id(Integer(number): RuleNumber) -> RuleId {
    RuleId(i32::try_from(number).expect("it is bounded"))
}

fn rank(Integer(rank): Rank) -> i32 {
    i32::try_from(rank).expect("it is bounded")
}
