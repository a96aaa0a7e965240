//! Takes jobs that are under a limit, fairly between the keys.
//!
//! Such jobs wait apart from the others, so that ones which may not run are in nobody's way. A claim goes round the
//! keys, from where the last one stopped, and takes from each that has room no more than its share. Who takes holds the
//! key's row, so the limit is exact, however many processes there are.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::cursor::beginning;
use super::{Claimed, Row, in_order};
use crate::new_job::SEQUENCE;

/// How many keys of a queue are looked at in one round trip.
const KEYS_MAX: i32 = 500;

/// How many times as long as looking at the keys took to go on with what was found, while that brings as much as is wanted.
/// Like the jobs that have ended, keys are found by walking over what those have left in the index.
const KNOWN_FACTOR: u32 = 20;
/// The longest time for that: so much later, at most, is a new key found, or a job that came before where a key has got to.
const KNOWN_MAX: Duration = Duration::from_millis(100);

/// Where the round of each queue's keys has got to.
#[derive(Debug, Default)]
pub(crate) struct Round {
    after: HashMap<String, (String, String)>,
    known: Option<Known>,
}

/// All keys of some queues that had room at the last look.
#[derive(Debug)]
struct Known {
    queues: Vec<String>,
    keys: Vec<Key>,
    until: Instant,
}

/// A key with room.
#[derive(Debug)]
struct Key {
    queue: String,
    name: String,
    key: String,
    /// For how many jobs.
    room: usize,
    /// Priority and due time of the last job that was claimed of it.
    reached: Option<(i16, DateTime<Utc>)>,
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

impl Round {
    /// Claims up to the wanted number of jobs of each queue. Needs [`PLANNER`](crate::settle::PLANNER) in force.
    pub(crate) async fn claim(
        &mut self,
        conn: &mut PgConnection,
        shard: i16,
        process: Uuid,
        wanted: &[(&str, usize)],
    ) -> sqlx::Result<Taken> {
        let known = self.known.take();
        let known = known.filter(|known| known.until > Instant::now() && known.is_of(wanted));
        let (mut known, mut taken) = match known {
            Some(known) => (known, Taken { has_more: true, ..Taken::default() }),
            None => self.look(conn, shard, wanted).await?,
        };
        if known.keys.is_empty() {
            return Ok(taken);
        }
        let rows = take(conn, shard, process, &known.keys, wanted).await?;
        taken.has_more |= !rows.is_empty();
        known.note(&rows);
        taken.jobs = in_order(process, rows);
        let is_full =
            |(queue, jobs): &(&str, usize)| taken.jobs.iter().filter(|job| job.queue == *queue).count() >= *jobs;
        if wanted.iter().all(is_full) {
            self.known = Some(known);
        }
        Ok(taken)
    }

    /// The next keys with room.
    async fn look(
        &mut self,
        conn: &mut PgConnection,
        shard: i16,
        wanted: &[(&str, usize)],
    ) -> sqlx::Result<(Known, Taken)> {
        let began = Instant::now();
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
        let (mut keys, mut seen) = (Vec::new(), HashSet::new());
        for (queue, _) in wanted {
            let of_queue = || found.iter().filter(|key| key.queue == *queue);
            // At the end of the keys, the next round begins at the first.
            match of_queue().max_by_key(|key| key.number) {
                Some(last) if last.number >= KEYS_MAX => {
                    self.after.insert((*queue).to_owned(), (last.name.clone(), last.key.clone()));
                    taken.has_more = true;
                }
                // Keys before the place where this round began have not been looked at.
                _ => taken.has_more |= self.after.remove(*queue).is_some(),
            }
            let waits = || of_queue().filter_map(|key| key.token_in_s).filter(|wait| *wait > 0.0);
            let first_token = waits().min_by(f64::total_cmp).map(Duration::from_secs_f64);
            taken.token_in = [taken.token_in, first_token].into_iter().flatten().min();
            for key in of_queue().filter(|key| key.room > 0 && key.token_in_s.is_none_or(|wait| wait <= 0.0)) {
                // A key that two queues share is taken from for one of them at a time.
                if seen.insert((&key.name, &key.key)) {
                    let (name, key, room) = (key.name.clone(), key.key.clone(), key.room as usize);
                    keys.push(Key { queue: (*queue).to_owned(), name, key, room, reached: None });
                }
            }
        }
        // What is only a part of the keys is not gone on with.
        let ended = Instant::now();
        let pause = if taken.has_more { Duration::ZERO } else { ((ended - began) * KNOWN_FACTOR).min(KNOWN_MAX) };
        let queues = wanted.iter().map(|(queue, _)| (*queue).to_owned()).collect();
        Ok((Known { queues, keys, until: ended + pause }, taken))
    }
}

impl Known {
    fn is_of(&self, wanted: &[(&str, usize)]) -> bool {
        self.queues.iter().eq(wanted.iter().map(|(queue, _)| *queue))
    }

    /// Takes note of where each key has got to. Of a sequence that is never known: what comes back to it comes first.
    fn note(&mut self, rows: &[Row]) {
        let mut keys: HashMap<_, _> =
            self.keys.iter_mut().map(|key| ((&*key.name, &*key.key), &mut key.reached)).collect();
        for row in rows {
            let of_row = row.limit_name.as_deref().zip(row.limit_key.as_deref());
            let (name, key) = of_row.expect("it waited for a place of a limit");
            if name != SEQUENCE {
                let reached = keys.get_mut(&(name, key)).expect("each is of a key that was asked for");
                **reached = (**reached).max(Some((row.priority, row.run_at)));
            }
        }
    }
}

/// Takes from each key no more than its share of what is wanted of its queue.
async fn take(
    conn: &mut PgConnection,
    shard: i16,
    process: Uuid,
    keys: &[Key],
    wanted: &[(&str, usize)],
) -> sqlx::Result<Vec<Row>> {
    let mut shares: HashMap<&str, usize> = HashMap::new();
    keys.iter().for_each(|key| *shares.entry(&key.queue).or_default() += 1);
    for (queue, jobs) in wanted {
        shares.entry(queue).and_modify(|keys| *keys = jobs.div_ceil(*keys));
    }
    let share = |key: &Key| shares[key.queue.as_str()].min(key.room) as i32;
    let claimed = sqlx::query_file_as!(
        Row,
        "src/claim/limited.sql",
        shard,
        process,
        &keys.iter().map(|key| key.queue.as_str()).collect::<Vec<_>>() as &[&str],
        &keys.iter().map(|key| key.name.as_str()).collect::<Vec<_>>() as &[&str],
        &keys.iter().map(|key| key.key.as_str()).collect::<Vec<_>>() as &[&str],
        &keys.iter().map(share).collect::<Vec<_>>(),
        &keys.iter().map(|key| key.reached.map_or(0, |(priority, _)| priority)).collect::<Vec<_>>(),
        &keys.iter().map(|key| key.reached.map_or_else(beginning, |(_, time)| time)).collect::<Vec<_>>(),
    );
    claimed.fetch_all(conn).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(limit_name: &str, priority: i16, second: i64) -> Row {
        let at = DateTime::from_timestamp(second, 0).unwrap();
        Row {
            id: Uuid::nil(),
            epoch: 1,
            queue: "q".to_owned(),
            kind: String::new(),
            attempt: 1,
            max_attempts: 1,
            crashes: 0,
            priority,
            run_at: at,
            claimed_at: at,
            ctid: String::new(),
            actor: None,
            trace: None,
            cancelled_by: None,
            is_expired: false,
            version: 1,
            payload: String::new(),
            limit_name: Some(limit_name.to_owned()),
            limit_key: Some(String::new()),
        }
    }

    #[test]
    fn a_key_goes_on_after_the_last_job_that_was_claimed_of_it_and_a_sequence_from_its_beginning() {
        let key = |name: &str| Key {
            queue: "q".to_owned(),
            name: name.to_owned(),
            key: String::new(),
            room: 9,
            reached: None,
        };
        let keys = ["mailbox", SEQUENCE, "other"].map(key).into();
        let mut known = Known { queues: vec!["q".to_owned()], keys, until: Instant::now() };
        known.note(&[row("mailbox", 50, 7), row("mailbox", 50, 8), row(SEQUENCE, 50, 9), row("mailbox", 20, 99)]);
        known.note(&[row("mailbox", 50, 6)]);
        let reached: Vec<_> = known.keys.iter().map(|key| key.reached).collect();
        assert_eq!(reached, [Some((50, row("mailbox", 50, 8).run_at)), None, None]);
    }

    #[test]
    fn what_is_known_of_some_queues_is_not_what_is_known_of_others() {
        let known = Known { queues: vec!["q".to_owned()], keys: Vec::new(), until: Instant::now() };
        assert!(known.is_of(&[("q", 5)]));
        assert!(!known.is_of(&[("q", 5), ("r", 5)]) && !known.is_of(&[("r", 5)]) && !known.is_of(&[]));
    }
}
