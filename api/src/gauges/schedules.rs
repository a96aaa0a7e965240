//! How schedules are: last tick, next tick, lateness. Those of the release have their name as a label, the others share one.

use queue::metrics::{self as define, Metric, OTHER};
use sqlx::PgConnection;

use super::set;

const LAST_TICK: Metric = define::gauge_seconds(
    "queue_schedule_last_tick_timestamp_seconds",
    &["schedule"],
    "The last tick that made a job, in seconds since 1970; 0 if none did.",
);
const NEXT_TICK: Metric = define::gauge_seconds(
    "queue_schedule_next_tick_timestamp_seconds",
    &["schedule"],
    "The next tick, or the oldest that is due, in seconds since 1970; 0 if there is none.",
);
const OVERDUE: Metric = define::gauge_seconds(
    "queue_schedule_overdue_seconds",
    &["schedule"],
    "For how long a tick has been due; 0 if none is, or the schedule is paused.",
);
const PAUSED: Metric = define::gauge("queue_schedule_paused", &["schedule"], "Whether it is paused.");
const FAILING: Metric = define::gauge("queue_schedule_failing", &["schedule"], "Whether firing it failed last.");

pub(super) const METRICS: [Metric; 5] = [LAST_TICK, NEXT_TICK, OVERDUE, PAUSED, FAILING];

pub(super) fn register() {
    for metric in METRICS {
        metric.register(&[&[OTHER]]);
    }
}

pub(super) async fn read(conn: &mut PgConnection, shard: i16) -> sqlx::Result<()> {
    let schedules = sqlx::query!(
        r#"
        select case when is_declared then name else 'other' end as "name!",
               coalesce(extract(epoch from max(last_tick_at)), 0)::float8 as "last_tick!",
               coalesce(extract(epoch from min(next_at)), 0)::float8 as "next_tick!",
               greatest(
                   coalesce(extract(epoch from clock_timestamp() - min(next_at) filter (where not is_paused)), 0), 0
               )::float8 as "overdue!",
               bool_or(is_paused)::integer as "paused!",
               bool_or(error is not null)::integer as "failing!"
          from queue.schedule
         where shard = $1
         group by 1
        "#,
        shard,
    );
    let schedules = schedules.fetch_all(conn).await?;
    if schedules.iter().all(|schedule| schedule.name != OTHER) {
        METRICS.iter().for_each(|metric| set(metric, Some(OTHER), 0.0));
    }
    for schedule in schedules {
        let name = Some(schedule.name.as_str());
        set(&LAST_TICK, name, schedule.last_tick);
        set(&NEXT_TICK, name, schedule.next_tick);
        set(&OVERDUE, name, schedule.overdue);
        set(&PAUSED, name, f64::from(schedule.paused));
        set(&FAILING, name, f64::from(schedule.failing));
    }
    Ok(())
}
