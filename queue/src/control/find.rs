//! Finds the jobs of a selection, without locking them.

use std::collections::BTreeSet;

use sqlx::PgConnection;
use uuid::Uuid;

use super::bulk::Action;
use super::{Control, ControlError, Filter, Select, begin};
use crate::inspect::JobState;

/// Jobs that were selected, each list in the order of the ids.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) live: Vec<Uuid>,
    pub(super) dead: Vec<Uuid>,
    /// There are more than the cap.
    pub(super) has_more: bool,
    /// They were named by their ids, so an id may stand in both lists.
    pub(super) is_by_id: bool,
}

impl Control<'_> {
    /// The jobs that the selection means, in these states, save those that are already as the action would make them.
    pub(super) async fn find(
        &mut self,
        action: &Action,
        select: &Select,
        states: &[JobState],
    ) -> Result<Found, ControlError> {
        let has_dead = states.contains(&JobState::Dead);
        let has_live = states.iter().any(|state| !state.is_final());
        let filter = match select {
            Select::Filter(filter) => filter,
            Select::Ids(ids) => {
                let ids: Vec<Uuid> = ids.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
                let live = if has_live { ids.clone() } else { Vec::new() };
                let dead = if has_dead { ids } else { Vec::new() };
                return Ok(Found { live, dead, has_more: false, is_by_id: true });
            }
        };
        let mut tx = begin(self.conn).await?;
        // One more than asked for tells whether there is more. Of the dead only those that a filter names by state, or
        // that are all the action is about.
        let mut found = Found::default();
        if has_live {
            found.live = find_live(&mut tx, self.shard, action, filter, states, self.cap + 1).await?;
        }
        if has_dead && (!has_live || !filter.states.is_empty()) && found.live.len() <= self.cap {
            found.dead = find_dead(&mut tx, self.shard, filter, self.cap + 1 - found.live.len()).await?;
        }
        tx.rollback().await?;
        found.has_more = found.live.len() + found.dead.len() > self.cap;
        if found.has_more {
            let _ = found.dead.pop().or_else(|| found.live.pop());
        }
        found.live.sort_unstable();
        found.dead.sort_unstable();
        Ok(found)
    }
}

async fn find_live(
    conn: &mut PgConnection,
    shard: i16,
    action: &Action,
    filter: &Filter,
    states: &[JobState],
    limit: usize,
) -> sqlx::Result<Vec<Uuid>> {
    let (limit_name, limit_key) = limit_of(filter);
    let found = sqlx::query_scalar!(
        r#"
        select id
          from queue.job
         where shard = $1
           -- As an integer, as the conditions of the partial indexes have it.
           and state = any ($2::integer[])
           -- A running job keeps the state that it was claimed in.
           and case when owner is null then state else 2 end = any ($15::smallint[])
           and ($3::text is null or queue = $3)
           and ($4::text is null or kind = $4)
           and ($5::text is null or $5 = any (tags))
           and ($6::text is null or actor = $6)
           and ($7::uuid is null or parent = $7)
           and ($8::text is null or limit_name = $8)
           and ($9::text is null or limit_key = $9)
           and ($10::timestamptz is null or created_at >= $10)
           and ($11::timestamptz is null or created_at < $11)
           -- What is already so is left out, so that repeating the call comes to an end.
           and (owner is null or cancelled_by is null)
           and ($12::smallint is null or priority <> $12)
           and ($13::timestamptz is null or run_at < $13 or run_at > $13 + interval '1 second')
         limit $14
        "#,
        shard,
        &stored_in(states),
        filter.queue,
        filter.kind,
        filter.tag,
        filter.actor,
        filter.parent,
        limit_name,
        limit_key,
        filter.created_after,
        filter.created_before,
        action.priority(),
        action.time(),
        limit as i64,
        &states.iter().map(|state| state.number()).collect::<Vec<i16>>(),
    );
    found.fetch_all(conn).await
}

/// The states that the rows of jobs in these are stored with; as integers, as the conditions of the partial indexes have
/// them.
fn stored_in(states: &[JobState]) -> Vec<i32> {
    let is_running = |state: &JobState| *state == JobState::Running;
    let mut stored: Vec<i32> =
        states.iter().filter(|state| !is_running(state)).map(|state| state.number().into()).collect();
    if states.iter().any(is_running) {
        stored.extend([JobState::Ready, JobState::Waiting].map(|state| i32::from(state.number())));
    }
    stored
}

async fn find_dead(conn: &mut PgConnection, shard: i16, filter: &Filter, limit: usize) -> sqlx::Result<Vec<Uuid>> {
    let (limit_name, limit_key) = limit_of(filter);
    let found = sqlx::query_scalar!(
        r#"
        select id
          from queue.dead_job as dead
         where shard = $1
           and ($2::text is null or queue = $2)
           and ($3::text is null or kind = $3)
           and ($4::text is null or $4 = any (tags))
           and ($5::text is null or actor = $5)
           and ($6::uuid is null or parent = $6)
           and ($7::text is null or limit_name = $7)
           and ($8::text is null or limit_key = $8)
           and ($9::timestamptz is null or created_at >= $9)
           and ($10::timestamptz is null or created_at < $10)
         limit $11
        "#,
        shard,
        filter.queue,
        filter.kind,
        filter.tag,
        filter.actor,
        filter.parent,
        limit_name,
        limit_key,
        filter.created_after,
        filter.created_before,
        limit as i64,
    );
    found.fetch_all(conn).await
}

fn limit_of(filter: &Filter) -> (Option<&str>, Option<&str>) {
    let limit = filter.limit.as_ref();
    (limit.map(|(name, _)| name.as_str()), limit.and_then(|(_, key)| key.as_deref()))
}
