//! Imports that nobody goes on with are tidied up.

use jobs::sweep_imports::SweepImports;
use queue::NewJob;
use queue::control::{Control, Select};
use queue::testing::{Outcome, run_inline};
use serde_json::json;

use super::kit::{CSV, count, import, registry, send};
use crate::api::harness::Api;

const FILE: &str = "sku,name,price,currency\n1,One,1.00,GBP\n1,Two,1.00,GBP\n";

#[tokio::test]
async fn the_sweep_takes_what_nobody_goes_on_with_and_leaves_the_rest() {
    let api = Api::start().await;
    import(&api, &api.admin, "kind=products", CSV, FILE).await;
    sqlx::query("update app.import set finished_at = now() - interval '31 days'").execute(&api.pool).await.unwrap();
    let cancelled = send(&api.admin, "kind=products", CSV, FILE).await.json();
    let waiting = send(&api.admin, "kind=products", CSV, FILE).await.json();
    let cut = "insert into app.import (id, kind, format, owner_id, created_by, created_at)
               select gen_random_uuid(), 'users', 'csv', $1, $1, now() - age
               from unnest(array[interval '59 minutes', interval '61 minutes']) as age";
    sqlx::query(cut).bind(api.principal.user_id.0).execute(&api.pool).await.unwrap();
    let mut conn = api.pool.acquire().await.unwrap();
    let id = |answer: &serde_json::Value| answer["job_id"].as_str().unwrap().parse().unwrap();
    let cancel = Control::new(&mut conn, 0, "test").unwrap().cancel(&Select::Ids(vec![id(&cancelled)])).await.unwrap();
    assert_eq!(cancel.changed, 1);
    let ran = run_inline(&api.pool, &registry(), NewJob::of(&SweepImports::of(0)).unwrap()).await;
    assert_eq!(ran.outcome, Outcome::Succeeded(Some(json!({ "uploads": 1, "stopped": 1, "old": 1 }))));
    let states: Vec<(uuid::Uuid, String)> =
        sqlx::query_as("select id, state from app.import where kind = 'products' order by id")
            .fetch_all(&api.pool)
            .await
            .unwrap();
    assert_eq!(states, [(id(&cancelled), "stopped".to_owned()), (id(&waiting), "waiting".to_owned())]);
    assert_eq!(count(&api.pool, "app.import_chunk").await, 1, "of the one that waits");
    assert_eq!(count(&api.pool, "app.import_finding").await, 0, "they go with their import");
}
