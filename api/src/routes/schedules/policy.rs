//! What the operations on schedules share: their policies, and the row of the audit.

use queue::control;
use queue::schedule::{CatchUp, Overlap};
use serde_json::{Value, json};
use sqlx::PgConnection;

use crate::auth::Caller;
use crate::body::integer::Integer;
use crate::deed;
use crate::problem::{FieldProblem, Place, Problem};
use crate::views::schedule::{CatchUpName, OverlapName};

/// How many ticks `all` catches up with.
pub(super) type CatchUpMax = Integer<1, 1_000>;

/// The catch-up policy, if one is given; only `all` takes a number, and needs it.
pub(super) fn catch_up(name: Option<CatchUpName>, max: Option<CatchUpMax>) -> Result<Option<CatchUp>, Problem> {
    let wrong = |code, detail: &str| {
        let at = Place::Pointer("/catch_up_max".to_owned());
        Err(Problem::invalid(vec![FieldProblem { at, code, detail: detail.to_owned() }]))
    };
    match (name, max) {
        (Some(CatchUpName::All), Some(Integer(max))) => {
            Ok(Some(CatchUp::All(u16::try_from(max).expect("it is bounded and positive"))))
        }
        (Some(CatchUpName::All), None) => wrong("required", "The policy all needs how many ticks at most."),
        (_, Some(_)) => wrong("not_allowed", "Only the policy all takes how many ticks."),
        (Some(CatchUpName::None), None) => Ok(Some(CatchUp::None)),
        (Some(CatchUpName::Last), None) => Ok(Some(CatchUp::Last)),
        (None, None) => Ok(None),
    }
}

/// The overlap policy of this name.
pub(super) fn overlap(name: OverlapName) -> Overlap {
    match name {
        OverlapName::Allow => Overlap::Allow,
        OverlapName::Skip => Overlap::Skip,
        OverlapName::Replace => Overlap::Replace,
    }
}

/// Leaves a row of what was done to the schedule, with the values that were set.
pub(super) async fn note(
    conn: &mut PgConnection,
    caller: &Caller,
    action: &'static str,
    name: &str,
    set: Option<Value>,
) -> sqlx::Result<()> {
    let mut target = json!({ "schedule": name });
    if let Some(set) = set {
        target["set"] = set;
    }
    control::note(conn, caller.0.book.shard, &deed::actor(caller), action, target).await
}
