//! Many jobs at once by COPY, which costs the server least: for jobs that nothing can stand in the way of.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::Placed;
use crate::inspect::JobState;
use crate::new_job::Due;

/// Fewer are quicker by a plain statement, which is one round trip.
pub(super) const JOBS_MIN: usize = 100;
/// The same over a network: sqlx 0.9 leaves Nagle's algorithm on, so the end of a copy waits for the server's delayed
/// acknowledgement of what came before it, up to 40 ms.
const JOBS_MIN_REMOTE: usize = 10_000;

/// How much is sent at once, in bytes.
const CHUNK: usize = 256 << 10;

const COPY: &str = "
    copy queue.job (
        shard, state, priority, max_attempts, weight, waits_for, id, run_at, created_at, is_sequence, queue, kind,
        limit_name, limit_key, tags, actor, trace, parent, expires_at, version, payload
    ) from stdin (format binary)";

/// What each file of this format begins with: a signature, no flags, no extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What it ends with.
const TRAILER: [u8; 2] = (-1_i16).to_be_bytes();
/// The type of the elements of `tags`: text.
const TEXT_OID: i32 = 25;

/// Inserts all of them, or none; returns their ids, and the states that they begin in. None at all when a plain statement
/// is quicker.
pub(super) async fn copy(
    conn: &mut PgConnection,
    jobs: &[Placed<'_>],
) -> sqlx::Result<Option<HashMap<Uuid, JobState>>> {
    let server = sqlx::query!(r#"select clock_timestamp() as "now!", inet_client_addr() is not null as "is_remote!""#);
    let server = server.fetch_one(&mut *conn).await?;
    if server.is_remote && jobs.len() < JOBS_MIN_REMOTE {
        return Ok(None);
    }
    // Within the caller's transaction, a savepoint.
    let (now, mut tx) = (server.now, conn.begin().await?);
    let mut created = HashMap::with_capacity(jobs.len());
    let mut counts: BTreeMap<(i16, &str), [i32; 3]> = BTreeMap::new();
    let mut sink = tx.copy_in_raw(COPY).await?;
    let mut rows = Rows(HEADER.to_vec());
    for placed @ Placed { job, .. } in jobs {
        let state = rows.add(placed, now);
        created.insert(job.id, state);
        let count = counts.entry((job.shard, &*job.queue)).or_default();
        match state {
            JobState::Scheduled => count[0] += 1,
            JobState::Ready => count[1] += 1,
            _ => count[2] += 1,
        }
        if rows.0.len() >= CHUNK {
            sink.send(std::mem::take(&mut rows.0)).await?;
        }
    }
    rows.0.extend(TRAILER);
    sink.send(rows.0).await?;
    sink.finish().await?;
    for ((shard, queue), [scheduled, ready, waiting]) in counts {
        sqlx::query!(
            "insert into queue.counter_change (shard, queue, scheduled, ready, waiting) values ($1, $2, $3, $4, $5)",
            shard,
            queue,
            (scheduled > 0).then_some(scheduled),
            (ready > 0).then_some(ready),
            (waiting > 0).then_some(waiting),
        )
        .execute(&mut *tx)
        .await?;
    }
    tx.commit().await?;
    Ok(Some(created))
}

fn later(time: DateTime<Utc>, by: TimeDelta) -> DateTime<Utc> {
    time.checked_add_signed(by).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// Rows in the binary format of COPY: a count of fields, then each with its length; -1 for null.
struct Rows(Vec<u8>);

impl Rows {
    /// Adds a job as insert.sql would; returns the state that it begins in.
    fn add(&mut self, placed: &Placed<'_>, now: DateTime<Utc>) -> JobState {
        let Placed { place, job, .. } = placed;
        let due = match job.due {
            Due::In(delay) => later(now, TimeDelta::from_std(delay).unwrap_or(TimeDelta::MAX)),
            Due::At(at) => at,
        };
        let state = job.state_at(due > now);
        let limited = job.limited.as_ref();
        self.0.extend(21_i16.to_be_bytes());
        self.field(&job.shard.to_be_bytes());
        self.field(&state.number().to_be_bytes());
        self.field(&job.priority.rank().to_be_bytes());
        self.field(&(job.max_attempts as i16).to_be_bytes());
        self.field(&limited.map_or(1, |limited| limited.weight as i16).to_be_bytes());
        self.field(&(job.waits_for as i16).to_be_bytes());
        self.field(job.id.as_bytes());
        self.time(later(due, TimeDelta::microseconds(*place as i64)));
        self.time(now);
        self.field(&[limited.is_some_and(|limited| limited.is_sequence).into()]);
        self.field(job.queue.as_bytes());
        self.field(job.kind.as_bytes());
        self.text(limited.map(|limited| limited.name.as_str()));
        self.text(limited.map(|limited| limited.key.as_str()));
        self.tags(&job.tags);
        self.text(job.actor.as_deref());
        self.text(placed.trace());
        match job.parent {
            Some(parent) => self.field(parent.as_bytes()),
            None => self.null(),
        }
        match job.expires_at {
            Some(at) => self.time(at),
            None => self.null(),
        }
        self.field(&job.version.to_be_bytes());
        self.field(job.stored_payload(job.id).as_bytes());
        state
    }

    fn field(&mut self, bytes: &[u8]) {
        let length = i32::try_from(bytes.len()).expect("payloads and texts are far smaller than 2 GiB");
        self.0.extend(length.to_be_bytes());
        self.0.extend(bytes);
    }

    fn null(&mut self) {
        self.0.extend((-1_i32).to_be_bytes());
    }

    fn text(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.field(text.as_bytes()),
            None => self.null(),
        }
    }

    /// Microseconds since the beginning of 2000. What does not fit is refused by the server; one more would be infinity.
    fn time(&mut self, at: DateTime<Utc>) {
        let epoch = NaiveDate::from_ymd_opt(2000, 1, 1).expect("a day").and_time(NaiveTime::MIN).and_utc();
        self.field(&(at - epoch).num_microseconds().unwrap_or(i64::MAX - 1).to_be_bytes());
    }

    /// One dimension, no nulls, counted from 1.
    fn tags(&mut self, tags: &[String]) {
        if tags.is_empty() {
            return self.null();
        }
        let mut array = Rows(Vec::new());
        for number in [1, 0, TEXT_OID, tags.len() as i32, 1] {
            array.0.extend(number.to_be_bytes());
        }
        tags.iter().for_each(|tag| array.field(tag.as_bytes()));
        self.field(&array.0);
    }
}
