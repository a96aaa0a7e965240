//! Takes jobs that are under a limit, fairly between the keys.
//!
//! Such jobs wait apart from the others, so that ones which may not run are in nobody's way. A claim goes round the
//! keys, from where the last one stopped, and takes from each that has room no more than its share. Who takes holds the
//! key's row, so the limit is exact, however many processes there are.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use sqlx::PgConnection;
use uuid::Uuid;

use super::{Claimed, Row, in_order};

/// How many keys of a queue are looked at in one round trip.
const KEYS_MAX: i32 = 500;

/// Where the round of each queue's keys has got to.
#[derive(Debug, Default)]
pub(crate) struct Round {
    after: HashMap<String, (String, String)>,
}

/// What one round brought.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) jobs: Vec<Claimed>,
    /// Whether there may be more to take now.
    pub(crate) has_more: bool,
    /// When the first bucket without a token will have one.
    pub(crate) token_in: Option<Duration>,
}

/// A key with room, and how many jobs to take of it.
struct Share {
    queue: String,
    name: String,
    key: String,
    jobs: i32,
}

impl Round {
    /// Claims up to the wanted number of jobs of each queue. Needs [`PLANNER`](crate::settle::PLANNER) in force.
    pub(crate) async fn claim(
        &mut self,
        conn: &mut PgConnection,
        shard: i16,
        process: Uuid,
        wanted: &[(&str, usize)],
    ) -> sqlx::Result<Taken> {
        let (shares, mut taken) = self.shares(conn, shard, wanted).await?;
        if shares.is_empty() {
            return Ok(taken);
        }
        let each = || shares.iter();
        let claimed = sqlx::query_file_as!(
            Row,
            "src/claim/limited.sql",
            shard,
            process,
            &each().map(|share| share.queue.as_str()).collect::<Vec<_>>() as &[&str],
            &each().map(|share| share.name.as_str()).collect::<Vec<_>>() as &[&str],
            &each().map(|share| share.key.as_str()).collect::<Vec<_>>() as &[&str],
            &each().map(|share| share.jobs).collect::<Vec<_>>(),
        );
        taken.jobs = in_order(process, claimed.fetch_all(conn).await?);
        taken.has_more |= !taken.jobs.is_empty();
        Ok(taken)
    }

    /// The next keys with room, each with its share of what is wanted.
    async fn shares(
        &mut self,
        conn: &mut PgConnection,
        shard: i16,
        wanted: &[(&str, usize)],
    ) -> sqlx::Result<(Vec<Share>, Taken)> {
        let beginning = (String::new(), String::new());
        let after = |queue: &str| self.after.get(queue).unwrap_or(&beginning);
        let found = sqlx::query_file!(
            "src/claim/keys.sql",
            shard,
            &wanted.iter().map(|(queue, _)| *queue).collect::<Vec<_>>() as &[&str],
            &wanted.iter().map(|(queue, _)| after(queue).0.as_str()).collect::<Vec<_>>() as &[&str],
            &wanted.iter().map(|(queue, _)| after(queue).1.as_str()).collect::<Vec<_>>() as &[&str],
            KEYS_MAX,
        );
        let found = found.fetch_all(conn).await?;
        let mut taken = Taken::default();
        let (mut shares, mut seen) = (Vec::new(), HashSet::new());
        for (queue, jobs) in wanted {
            let keys = || found.iter().filter(|key| key.queue == *queue);
            // At the end of the keys, the next round begins at the first.
            match keys().max_by_key(|key| key.number) {
                Some(last) if last.number >= KEYS_MAX => {
                    self.after.insert((*queue).to_owned(), (last.name.clone(), last.key.clone()));
                    taken.has_more = true;
                }
                // Keys before the place where this round began have not been looked at.
                _ => taken.has_more |= self.after.remove(*queue).is_some(),
            }
            let waits = || keys().filter_map(|key| key.token_in_s).filter(|wait| *wait > 0.0);
            let first_token = waits().min_by(f64::total_cmp).map(Duration::from_secs_f64);
            taken.token_in = [taken.token_in, first_token].into_iter().flatten().min();
            let open: Vec<_> =
                keys().filter(|key| key.room > 0 && key.token_in_s.is_none_or(|wait| wait <= 0.0)).collect();
            let share = jobs.div_ceil(open.len().max(1));
            for key in open {
                // A key that two queues share is taken from for one of them at a time.
                if seen.insert((&key.name, &key.key)) {
                    let jobs = share.min(key.room as usize) as i32;
                    let (name, key) = (key.name.clone(), key.key.clone());
                    shares.push(Share { queue: (*queue).to_owned(), name, key, jobs });
                }
            }
        }
        Ok((shares, taken))
    }
}
