//! Who decides when a schedule ticks: an operator before the environment, and that before code. What the latter two say
//! is kept beside what counts.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sqlx::{Connection, PgConnection};

use super::manage::announce;
use super::row::{Row, lock};
use super::spec::{Spec, parse_zone};
use super::{Schedule, ScheduleError};

/// When a schedule ticks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct When {
    /// Cron, `@every`, a word, or `off`.
    pub spec: String,
    /// The IANA name of its time zone.
    pub time_zone: String,
}

/// All that code says of a schedule, as it is kept.
#[derive(Debug, Serialize, Deserialize)]
struct Declared {
    #[serde(flatten)]
    when: When,
    shard: i16,
    kind: String,
    queue: String,
    priority: i16,
    max_attempts: i16,
    version: i16,
    catch_up: String,
    catch_up_max: i16,
    overlap: String,
    payload: Box<RawValue>,
}

impl Declared {
    fn of(schedule: &Schedule) -> Declared {
        let (job, payload) = (&schedule.job, schedule.job.plain_payload().to_owned());
        Declared {
            when: When { spec: schedule.spec.to_string(), time_zone: schedule.zone.name().to_owned() },
            shard: job.shard,
            kind: job.kind.to_string(),
            queue: job.queue.to_string(),
            priority: job.priority.rank(),
            max_attempts: job.max_attempts as i16,
            version: job.version,
            catch_up: schedule.catch_up.as_str().to_owned(),
            catch_up_max: schedule.catch_up.max() as i16,
            overlap: schedule.overlap.as_str().to_owned(),
            payload: RawValue::from_string(payload).expect("a payload was serialised"),
        }
    }
}

/// Keeps what code and environment say of these schedules, whoever decides.
pub(super) async fn keep(conn: &mut PgConnection, schedules: &[Schedule]) -> sqlx::Result<()> {
    let names: Vec<&str> = schedules.iter().map(|one| one.name.as_str()).collect();
    let declared: Vec<String> = schedules.iter().map(|one| json(Declared::of(one))).collect();
    let configured: Vec<Option<String>> = schedules.iter().map(|one| configured(one).map(json)).collect();
    sqlx::query!(
        r#"
        update queue.schedule as there
           set declared = new.declared::json,
               configured = new.configured::json
          from unnest($1::text[], $2::text[], $3::text[]) as new(name, declared, configured)
         where there.name = new.name
           and there.is_declared
           and (there.declared::text, there.configured::text) is distinct from (new.declared, new.configured)
        "#,
        &names as &[&str],
        &declared,
        &configured as &[Option<String>],
    )
    .execute(conn)
    .await?;
    Ok(())
}

fn json(value: impl Serialize) -> String {
    serde_json::to_string(&value).expect("texts and numbers serialise")
}

fn configured(schedule: &Schedule) -> Option<When> {
    let (spec, zone) = schedule.configured.as_ref()?;
    Some(When { spec: spec.to_string(), time_zone: zone.name().to_owned() })
}

/// What code, and what the environment said last, as far as it is known.
pub(super) fn of_row(row: &Row) -> (Option<When>, Option<When>) {
    let read = |text: &Option<String>| serde_json::from_str(text.as_deref()?).ok();
    (read(&row.declared), read(&row.configured))
}

/// Lets environment and code decide again, at once. Of a schedule that an older release declared, or a newer one in a way
/// that is not understood here, the next process that starts applies what it says.
///
/// # Errors
/// [`ScheduleError::NotFound`] and [`ScheduleError::Database`].
pub async fn revert(conn: &mut PgConnection, name: &str) -> Result<(), ScheduleError> {
    let mut tx = conn.begin().await?;
    let row = lock(&mut tx, name).await?;
    match below(&row) {
        Some((declared, when, next_at)) if row.is_overridden => {
            apply(&mut tx, &row, (declared, when, next_at)).await?;
            announce(&mut tx).await?;
        }
        _ => {
            let reverted = sqlx::query!("update queue.schedule set is_overridden = false where name = $1", name);
            reverted.execute(&mut *tx).await?;
        }
    }
    Ok(tx.commit().await?)
}

/// What code says, when the schedule ticks below the operator, and the next time that it does.
type Below = (Declared, When, Option<DateTime<Utc>>);

/// None when it is not known, or not understood.
fn below(row: &Row) -> Option<Below> {
    let declared: Declared = serde_json::from_str(row.declared.as_deref()?).ok()?;
    let when = of_row(row).1.unwrap_or_else(|| declared.when.clone());
    let spec: Spec = when.spec.parse().ok()?;
    let next_at = spec.next_after(parse_zone(&when.time_zone).ok()?, row.now);
    Some((declared, when, next_at))
}

async fn apply(conn: &mut PgConnection, row: &Row, (declared, when, next_at): Below) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update queue.schedule
           set shard = $2,
               kind = $3,
               queue = $4,
               priority = $5,
               max_attempts = $6,
               payload = $7::text::json,
               version = $8,
               spec = $9,
               time_zone = $10,
               catch_up = $11,
               catch_up_max = $12,
               overlap = $13,
               next_at = case when $14 then $15 else next_at end,
               is_overridden = false,
               retry_at = null,
               error = null,
               updated_at = statement_timestamp()
         where name = $1
        "#,
        row.name,
        declared.shard,
        declared.kind,
        declared.queue,
        declared.priority,
        declared.max_attempts,
        declared.payload.get(),
        declared.version,
        when.spec,
        when.time_zone,
        declared.catch_up,
        declared.catch_up_max,
        declared.overlap,
        (&when.spec, &when.time_zone) != (&row.spec, &row.time_zone),
        next_at,
    )
    .execute(conn)
    .await
    .map(|_| ())
}
