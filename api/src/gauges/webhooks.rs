//! Endpoints of webhooks, and what is on its way to them.

use queue::metrics::{self as define, Metric};
use sqlx::PgConnection;

use super::set;

const ENDPOINTS: Metric =
    define::gauge("webhook_endpoints", &["state"], "Registered endpoints of webhooks: enabled or disabled.");
const OLDEST: Metric = define::gauge_seconds(
    "webhook_oldest_pending_seconds",
    &[],
    "Age of the oldest delivery that is not done; 0 when there is none.",
);

pub(super) const METRICS: [Metric; 2] = [ENDPOINTS, OLDEST];

pub(super) fn register() {
    ENDPOINTS.register(&[&["enabled", "disabled"]]);
    OLDEST.register(&[]);
}

pub(super) async fn read(conn: &mut PgConnection, shard: i16) -> sqlx::Result<()> {
    let webhooks = sqlx::query!(
        r#"
        select count(*) filter (where disabled_reason is null) as "enabled!",
               count(disabled_reason) as "disabled!",
               coalesce((
                   select extract(epoch from clock_timestamp() - created_at)
                     from app.webhook_delivery
                    where shard = $1 and status = 'pending'
                    -- Ids begin with the time.
                    order by id
                    limit 1
               ), 0)::float8 as "oldest_s!"
          from app.webhook_endpoint
         where shard = $1
        "#,
        shard,
    );
    let webhooks = webhooks.fetch_one(conn).await?;
    set(&ENDPOINTS, Some("enabled"), webhooks.enabled as f64);
    set(&ENDPOINTS, Some("disabled"), webhooks.disabled as f64);
    set(&OLDEST, None, webhooks.oldest_s.max(0.0));
    Ok(())
}
