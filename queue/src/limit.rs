//! What limits say: how many jobs of a key run at once, and how many begin in a time.

use sqlx::PgConnection;

use crate::new_job::SEQUENCE;

/// A limit, which holds for each of its keys by itself, over all processes. Jobs name it with
/// [`NewJob::limit`](crate::NewJob::limit); until somebody has declared it, they wait.
#[derive(Debug, Clone, PartialEq)]
pub struct Limit {
    pub(crate) name: &'static str,
    pub(crate) running_max: Option<u32>,
    pub(crate) rate: Option<Rate>,
}

/// A token bucket.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rate {
    pub(crate) per_s: f64,
    pub(crate) burst: f64,
}

impl Limit {
    /// At most this many jobs of a key are claimed at once.
    ///
    /// # Panics
    /// When it is 0, or the name is that of sequences.
    pub fn running(name: &'static str, running_max: u32) -> Limit {
        assert!(running_max > 0, "{name}: a limit of none lets nothing run");
        Limit { running_max: Some(running_max), ..Limit::nothing(name) }
    }

    /// A key's bucket gains this many tokens a second and holds `burst` of them at most; each job takes one, or its
    /// [`weight`](crate::NewJob::weight), when it is claimed. One that weighs more than a full bucket takes a full one.
    ///
    /// # Panics
    /// When the rate is not above 0 or the burst is below 1, or the name is that of sequences.
    pub fn rate(name: &'static str, per_s: f64, burst: f64) -> Limit {
        Limit::nothing(name).and_rate(per_s, burst)
    }

    /// Both: also [`Limit::rate`].
    ///
    /// # Panics
    /// As [`Limit::rate`].
    #[must_use]
    pub fn and_rate(mut self, per_s: f64, burst: f64) -> Limit {
        assert!(per_s > 0.0 && per_s.is_finite(), "{}: a rate is above 0", self.name);
        assert!(burst >= 1.0 && burst.is_finite(), "{}: a burst is 1 or more", self.name);
        self.rate = Some(Rate { per_s, burst });
        self
    }

    fn nothing(name: &'static str) -> Limit {
        assert!(name != SEQUENCE, "the limit {SEQUENCE} is the queue's own");
        Limit { name, running_max: None, rate: None }
    }
}

/// Says what holds; what an operator has said since the last release of the code is left alone.
pub(crate) async fn declare(conn: &mut PgConnection, limits: &[Limit]) -> sqlx::Result<()> {
    let each = || limits.iter();
    sqlx::query!(
        r#"
        insert into queue.limit_rule as rule (name, running_max, rate_per_s, burst, changed_at)
        select name, running_max, rate_per_s, burst, clock_timestamp()
          from unnest($1::text[], $2::integer[], $3::float8[], $4::float8[])
               as given(name, running_max, rate_per_s, burst)
         order by name
            on conflict (name) do update
           set running_max = excluded.running_max,
               rate_per_s = excluded.rate_per_s,
               burst = excluded.burst,
               changed_at = excluded.changed_at
         where rule.changed_by is null
           and (rule.running_max, rule.rate_per_s, rule.burst)
               is distinct from (excluded.running_max, excluded.rate_per_s, excluded.burst)
        "#,
        &each().map(|limit| limit.name).collect::<Vec<_>>() as &[&str],
        &each().map(|limit| limit.running_max.map(|max| max as i32)).collect::<Vec<_>>() as &[Option<i32>],
        &each().map(|limit| limit.rate.map(|rate| rate.per_s)).collect::<Vec<_>>() as &[Option<f64>],
        &each().map(|limit| limit.rate.map(|rate| rate.burst)).collect::<Vec<_>>() as &[Option<f64>],
    )
    .execute(conn)
    .await?;
    Ok(())
}
