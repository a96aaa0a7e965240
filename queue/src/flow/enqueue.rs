//! Writes a flow in the caller's transaction: its jobs, and what each of them waits for.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use sqlx::PgConnection;
use uuid::Uuid;

use super::{Flow, FlowError, Node, Parent, Policy};
use crate::{Enqueued, enqueue};

/// How often to look for a job that is neither live nor ended: it may be on its way from one to the other.
const ROUNDS_MAX: usize = 3;
/// The state of a job that succeeded.
pub(super) const SUCCEEDED: i16 = 4;

/// A flow that has been enqueued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowEnqueued {
    /// The id of each job, in the order in which they were added; for one whose unique key was taken, that of the job
    /// which stands in its place.
    pub ids: Vec<Uuid>,
    /// Whether each of them was created.
    pub created: Vec<bool>,
    /// The queues of those that were created, to be woken after the commit ([`Notifier::wake`](crate::Notifier::wake)).
    pub queues: BTreeSet<Cow<'static, str>>,
}

impl FlowEnqueued {
    /// The id of this job.
    ///
    /// # Panics
    /// When the node is of a flow with more jobs.
    pub fn id(&self, node: Node) -> Uuid {
        self.ids[node.index]
    }
}

/// Where a job of before has been found.
#[derive(Debug, Clone, Copy)]
enum Found {
    /// Among the live, where its row is locked now; whether others wait for it already.
    Live(bool),
    /// Among the ended, in this state.
    Ended(i16),
}

/// Who waits for whom, as it is to be written: the child, the parent, and what becomes of the one if the other fails.
type Links = BTreeMap<(Uuid, Uuid), Policy>;

impl Flow {
    /// Enqueues the jobs on the caller's connection: they exist when, and only if, the caller's transaction commits. Wake
    /// their queues after that, as with [`enqueue`].
    ///
    /// Where a live job has the unique key or the id of one of these, it takes that one's place: what waits for the one
    /// waits for it. It does not itself wait for anything new.
    ///
    /// # Errors
    /// Those of [`Flow::check`], [`FlowError::NotFound`] and [`FlowError::Enqueue`].
    pub async fn enqueue(mut self, conn: &mut PgConnection) -> Result<FlowEnqueued, FlowError> {
        self.check()?;
        for (child, _) in self.links.keys() {
            self.jobs[child.index].waits_for += 1;
        }
        let answers = enqueue(conn, &self.jobs).await?;
        if !self.links.is_empty() {
            self.connect(conn, &answers).await?;
        }
        let created = self.jobs.iter().zip(&answers).filter(|(_, answer)| answer.created);
        Ok(FlowEnqueued {
            queues: created.map(|(job, _)| job.queue.clone()).collect(),
            ids: answers.iter().map(|answer| answer.id).collect(),
            created: answers.iter().map(|answer| answer.created).collect(),
        })
    }

    /// Writes who waits for whom, and sets right what waits for less than was thought.
    async fn connect(&self, conn: &mut PgConnection, answers: &[Enqueued]) -> Result<(), FlowError> {
        let shard = self.jobs[0].shard;
        let wanted = self.wanted(answers);
        let own: HashSet<Uuid> = answers.iter().filter(|answer| answer.created).map(|answer| answer.id).collect();
        let parents: BTreeSet<Uuid> = wanted.keys().map(|(_, parent)| *parent).collect();
        let before: Vec<Uuid> = parents.iter().filter(|parent| !own.contains(parent)).copied().collect();
        let found = find_all(conn, shard, &before).await?;
        let given = self.existing();
        if let Some(lost) = before.iter().find(|id| given.contains(id) && !found.contains_key(id)) {
            return Err(FlowError::NotFound(*lost));
        }
        let is_unflagged = |id: &Uuid| own.contains(id) || matches!(found.get(id), Some(Found::Live(false)));
        let unflagged: Vec<Uuid> = parents.iter().copied().filter(is_unflagged).collect();
        let mut links = wanted;
        links.retain(|(_, parent), policy| match found.get(parent) {
            Some(Found::Live(_)) => true,
            Some(Found::Ended(state)) => *state != SUCCEEDED && *policy == Policy::Cancel,
            // One that held a unique key, and whose history is gone, has ended long ago.
            None => own.contains(parent),
        });
        flag(conn, shard, &unflagged).await?;
        write(conn, shard, &links, &found).await?;
        self.set_right(conn, answers, &links).await
    }

    /// Who is to wait for whom. What was not created waits for nothing.
    fn wanted(&self, answers: &[Enqueued]) -> Links {
        let mut wanted = Links::new();
        for ((child, parent), policy) in &self.links {
            let (child, is_created) = (answers[child.index].id, answers[child.index].created);
            let parent = match parent {
                Parent::Node(node) => answers[node.index].id,
                Parent::Existing(id) => *id,
            };
            if is_created && child != parent {
                let said = wanted.entry((child, parent)).or_insert(*policy);
                *said = (*policy).min(*said);
            }
        }
        wanted
    }

    /// Tells the jobs that were enqueued to wait for more than they have to wait for.
    async fn set_right(&self, conn: &mut PgConnection, answers: &[Enqueued], links: &Links) -> Result<(), FlowError> {
        let mut too_many: BTreeMap<Uuid, i16> = BTreeMap::new();
        for (job, answer) in self.jobs.iter().zip(answers).filter(|(_, answer)| answer.created) {
            too_many.insert(answer.id, job.waits_for as i16);
        }
        for (child, _) in links.keys() {
            too_many.entry(*child).and_modify(|number| *number -= 1);
        }
        too_many.retain(|_, number| *number > 0);
        if !too_many.is_empty() {
            let arrived = sqlx::query(include_str!("arrive.sql")).bind(self.jobs[0].shard);
            let arrived = arrived.bind(too_many.keys().copied().collect::<Vec<_>>());
            let arrived = arrived.bind(too_many.values().copied().collect::<Vec<_>>());
            arrived.persistent(false).execute(conn).await?;
        }
        Ok(())
    }
}

/// Finds jobs of before and locks those that live, in the order of their ids. A live one cannot end from here to the
/// commit, so whoever settles it then sees that others wait for it.
async fn find_all(conn: &mut PgConnection, shard: i16, ids: &[Uuid]) -> sqlx::Result<HashMap<Uuid, Found>> {
    let mut found = HashMap::new();
    let mut open = ids.to_vec();
    for _ in 0..ROUNDS_MAX {
        if open.is_empty() {
            break;
        }
        found.extend(lock(conn, shard, &open).await?);
        open.retain(|id| !found.contains_key(id));
        // Looked for by a statement of its own: it sees what was settled while the one above waited for the row.
        found.extend(find_ended(conn, shard, &open).await?);
        open.retain(|id| !found.contains_key(id));
    }
    Ok(found)
}

async fn lock(conn: &mut PgConnection, shard: i16, ids: &[Uuid]) -> sqlx::Result<Vec<(Uuid, Found)>> {
    // Planned each time, as all that follows, since the connection is the caller's, and so are its settings; the macros
    // have no such statements that return rows.
    let locked = sqlx::query_as::<_, (Uuid, bool)>(
        r#"
        select job.id, job.has_dependants
          from unnest($2::uuid[]) as asked(id)
         cross join lateral (
                   select one.id, one.has_dependants
                     from queue.job as one
                    where one.shard = $1 and one.id = asked.id
                      for no key update
               ) as job
        "#,
    );
    let locked = locked.bind(shard).bind(ids).persistent(false).fetch_all(conn).await?;
    Ok(locked.into_iter().map(|(id, has_dependants)| (id, Found::Live(has_dependants))).collect())
}

async fn find_ended(conn: &mut PgConnection, shard: i16, ids: &[Uuid]) -> sqlx::Result<Vec<(Uuid, Found)>> {
    let ended = sqlx::query_as::<_, (Uuid, i16)>(
        r#"
        select asked.id, last.state
          from unnest($2::uuid[]) as asked(id)
         cross join lateral (
                   select 7::smallint as state, died_at as ended_at
                     from queue.dead_job
                    where shard = $1 and id = asked.id
                    union all
                   select state, finished_at from queue.job_history where shard = $1 and id = asked.id
                   -- An id may have been used again.
                    order by ended_at desc
                    limit 1
               ) as last
        "#,
    );
    let ended = ended.bind(shard).bind(ids).persistent(false).fetch_all(conn).await?;
    Ok(ended.into_iter().map(|(id, state)| (id, Found::Ended(state))).collect())
}

/// Notes with live jobs that others wait for them.
async fn flag(conn: &mut PgConnection, shard: i16, ids: &[Uuid]) -> sqlx::Result<()> {
    sqlx::query!("update queue.job set has_dependants = true where shard = $1 and id = any ($2)", shard, ids)
        .persistent(false)
        .execute(conn)
        .await?;
    Ok(())
}

/// Writes the links. Jobs that have ended already are said to have ended once more, for those that wait for them now.
async fn write(conn: &mut PgConnection, shard: i16, links: &Links, found: &HashMap<Uuid, Found>) -> sqlx::Result<()> {
    let children: BTreeSet<Uuid> = links.keys().map(|(child, _)| *child).collect();
    let children: Vec<Uuid> = children.into_iter().collect();
    // An earlier job of the same id may have been cancelled while it waited.
    sqlx::query!("delete from queue.dependency where shard = $1 and job = any ($2)", shard, &children)
        .persistent(false)
        .execute(&mut *conn)
        .await?;
    let ended: BTreeMap<Uuid, i16> = links
        .keys()
        .filter_map(|(_, parent)| match found.get(parent) {
            Some(Found::Ended(state)) => Some((*parent, *state)),
            _ => None,
        })
        .collect();
    sqlx::query!(
        r#"
        with linked as (
            insert into queue.dependency (shard, on_job, job, policy)
            select $1, link.on_job, link.job, link.policy
              from unnest($2::uuid[], $3::uuid[], $4::smallint[]) as link(on_job, job, policy)
        )
        insert into queue.ended (shard, id, state)
        select $1, parent.id, parent.state from unnest($5::uuid[], $6::smallint[]) as parent(id, state)
            on conflict (shard, id) do update set state = excluded.state
        "#,
        shard,
        &links.keys().map(|(_, parent)| *parent).collect::<Vec<_>>(),
        &links.keys().map(|(child, _)| *child).collect::<Vec<_>>(),
        &links.values().map(|policy| *policy as i16).collect::<Vec<_>>(),
        &ended.keys().copied().collect::<Vec<_>>(),
        &ended.values().copied().collect::<Vec<_>>(),
    )
    .persistent(false)
    .execute(conn)
    .await?;
    Ok(())
}
