//! Limits, as operators set them: of a queue, and by name for each key.

use serde::Serialize;
use serde_json::json;

use super::audit::Record;
use super::text::check_name;
use super::{Answer, Control, ControlError, begin};
use crate::new_job::SEQUENCE;

/// What a limit allows each of its keys; at least one of the two.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LimitRule {
    /// How many jobs of a key may be claimed at once.
    pub running_max: Option<u32>,
    /// How many tokens a second a key's bucket gains, and how many it holds at most.
    pub rate: Option<(f64, f64)>,
}

impl LimitRule {
    fn validate(&self) -> Result<(), ControlError> {
        if self.running_max.is_none() && self.rate.is_none() {
            return Err(ControlError::LimitsNothing);
        }
        if self.running_max.is_some_and(|max| max == 0 || i32::try_from(max).is_err()) {
            return Err(ControlError::LimitOutOfRange("running_max"));
        }
        match self.rate {
            Some((per_s, _)) if !per_s.is_finite() || per_s <= 0.0 => Err(ControlError::LimitOutOfRange("rate_per_s")),
            Some((_, burst)) if !burst.is_finite() || burst < 1.0 => Err(ControlError::LimitOutOfRange("burst")),
            _ => Ok(()),
        }
    }
}

impl Control<'_> {
    /// Lets at most this many jobs of the queue be claimed at once, over all processes; none for any number, 0 for
    /// none. It counts jobs that are claimed from now on: those that run already do so beside it.
    ///
    /// # Errors
    /// [`ControlError::Text`], [`ControlError::LimitOutOfRange`], or when the database fails.
    pub async fn limit_queue(&mut self, queue: &str, running_max: Option<u32>) -> Result<Answer, ControlError> {
        check_name("queue", queue)?;
        let out_of_range = |_| ControlError::LimitOutOfRange("running_max");
        let max = running_max.map(i32::try_from).transpose().map_err(out_of_range)?;
        let record = Record::new(self, "limit_queue", json!({ "queue": queue, "running_max": running_max }));
        let mut tx = begin(self.conn).await?;
        let limited = sqlx::query!(
            r#"
            insert into queue.queue_control as control (shard, queue, running_max)
            values ($1, $2, $3)
                on conflict (shard, queue) do update
               set running_max = excluded.running_max
             where control.running_max is distinct from excluded.running_max
            "#,
            self.shard,
            queue,
            max,
        );
        let changed = limited.execute(&mut *tx).await?.rows_affected();
        record.add(&mut tx, 0).await?;
        tx.commit().await?;
        Ok(record.answer(1, changed))
    }

    /// Sets the limit of this name, for every key and on every shard. From now on the operator's value counts, whatever
    /// the code declares.
    ///
    /// # Errors
    /// [`ControlError::Text`], [`ControlError::LimitsNothing`], [`ControlError::LimitOutOfRange`],
    /// [`ControlError::LimitReserved`], or when the database fails.
    pub async fn set_limit(&mut self, name: &str, rule: LimitRule) -> Result<Answer, ControlError> {
        check_limit(name)?;
        rule.validate()?;
        let record = Record::new(self, "set_limit", json!({ "limit": name, "rule": rule }));
        let mut tx = begin(self.conn).await?;
        let set = sqlx::query!(
            r#"
            insert into queue.limit_rule (name, running_max, rate_per_s, burst, changed_at, changed_by)
            values ($1, $2, $3, $4, clock_timestamp(), $5)
                on conflict (name) do update
               set running_max = excluded.running_max,
                   rate_per_s = excluded.rate_per_s,
                   burst = excluded.burst,
                   changed_at = excluded.changed_at,
                   changed_by = excluded.changed_by
            "#,
            name,
            rule.running_max.map(|max| max as i32),
            rule.rate.map(|(per_s, _)| per_s),
            rule.rate.map(|(_, burst)| burst),
            self.actor,
        );
        let changed = set.execute(&mut *tx).await?.rows_affected();
        record.add(&mut tx, 0).await?;
        tx.commit().await?;
        Ok(record.answer(1, changed))
    }

    /// Lets the code's own value of the limit count again, from the next start of a worker that declares it; until then
    /// the present one stays.
    ///
    /// # Errors
    /// [`ControlError::Text`], [`ControlError::LimitReserved`], [`ControlError::NoSuchLimit`], or when the database
    /// fails.
    pub async fn reset_limit(&mut self, name: &str) -> Result<Answer, ControlError> {
        check_limit(name)?;
        let record = Record::new(self, "reset_limit", json!({ "limit": name }));
        let mut tx = begin(self.conn).await?;
        let reset = sqlx::query!(
            "update queue.limit_rule set changed_by = null, changed_at = clock_timestamp() where name = $1",
            name,
        );
        if reset.execute(&mut *tx).await?.rows_affected() == 0 {
            return Err(ControlError::NoSuchLimit(name.to_owned()));
        }
        record.add(&mut tx, 0).await?;
        tx.commit().await?;
        Ok(record.answer(1, 1))
    }
}

fn check_limit(name: &str) -> Result<(), ControlError> {
    check_name("limit", name)?;
    if name == SEQUENCE { Err(ControlError::LimitReserved) } else { Ok(()) }
}
