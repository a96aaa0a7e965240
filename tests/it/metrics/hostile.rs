//! However much others invent, there are no more series.

use futures::stream::{self, StreamExt};
use reqwest::Method;
use uuid::Uuid;

use super::kit::Roles;

/// How many things are invented of each sort.
const INVENTED: usize = 10_000;

#[tokio::test]
async fn ten_thousand_unknown_paths_kinds_queues_and_ids_make_no_series() {
    let roles = Roles::start().await;
    invent_jobs(&roles).await;
    invent_paths(&roles, 8).await;
    let settled = |kind: &'static str| {
        move |page: &super::exposition::Exposition| {
            page.sum("queue_jobs_settled_total", &[("kind", kind), ("outcome", "dead")]) >= INVENTED as f64
        }
    };
    // A first one of each has been seen.
    let worker_before = roles.page_when("unknown kinds to be dead letters", &roles.worker, settled("other")).await;
    let api_before = roles
        .page_when("dead letters to be told", &roles.api, |page| {
            page.sum("queue_dead_letters", &[]) == 1000.0
                && page.sum("queue_jobs", &[("queue", "other"), ("state", "ready")]) == INVENTED as f64
        })
        .await;
    let invented = |series: &String| ["invented", "/nothing"].iter().any(|name| series.contains(name));
    for series in api_before.series().iter().chain(&worker_before.series()) {
        assert!(!invented(series), "{series}");
    }
    invent_paths(&roles, INVENTED).await;
    let api = roles.page(&roles.api).await.unwrap();
    let grown: Vec<_> = api.series().difference(&api_before.series()).cloned().collect();
    assert!(grown.is_empty(), "{grown:?}");
    let counted = api.sum("http_requests_total", &[("route", "unmatched")]);
    assert!(counted >= INVENTED as f64 / 2.0, "{counted} requests were counted");
    assert!(api.series().len() < 4_000, "{} series of the api", api.series().len());
    assert!(worker_before.series().len() < 2_000, "{} series of the workers", worker_before.series().len());
}

/// Paths that nobody has, ids that nobody has, and methods that nobody knows.
async fn invent_paths(roles: &Roles, number: usize) {
    let send = |number: usize| {
        let (id, base) = (Uuid::now_v7(), format!("http://{}", roles.api));
        let (method, path) = match number % 4 {
            0 => (Method::GET, format!("{base}/nothing/{number}")),
            1 => (Method::GET, format!("{base}/api/v1/nothing-{number}")),
            2 => (Method::GET, format!("{base}/api/v1/users/{id}")),
            _ => (Method::from_bytes(format!("BREW{number}").as_bytes()).unwrap(), format!("{base}/livez")),
        };
        let request = roles.http.request(method, path).bearer_auth(&roles.key);
        async move { drop(request.send().await.unwrap().bytes().await) }
    };
    stream::iter((0..number).map(send)).buffer_unordered(16).collect::<Vec<_>>().await;
}

/// Jobs of kinds and in queues that no release knows, a limit, and schedules made at run time.
async fn invent_jobs(roles: &Roles) {
    let insert = "insert into queue.job (state, priority, max_attempts, id, run_at, created_at, queue, kind, payload)
                  select 1, 50, 3, gen_random_uuid(), now(), now(), queue, 'invented.' || number, '{}'
                    from generate_series(1, $1) as number
                   cross join lateral (values ('ledger'), ('invented' || number)) as queues (queue)";
    sqlx::query(insert).bind(INVENTED as i32).execute(&roles.pool).await.unwrap();
    let count = "insert into queue.counter_change (queue, ready)
                 select queue, 1 from generate_series(1, $1) as number
                  cross join lateral (values ('ledger'), ('invented' || number)) as queues (queue)";
    sqlx::query(count).bind(INVENTED as i32).execute(&roles.pool).await.unwrap();
    let limit = "insert into queue.limit_rule (name, running_max, changed_at, changed_by)
                 select 'invented' || number, 1, now(), 'somebody' from generate_series(1, $1) as number";
    sqlx::query(limit).bind(INVENTED as i32).execute(&roles.pool).await.unwrap();
    let schedule = "insert into queue.schedule (name, kind, queue, priority, max_attempts, payload, version, spec,
                                                catch_up, catch_up_max, overlap, is_declared, next_at)
                    select 'invented' || number, 'invented.kind', 'ledger', 50, 3, '{}', 1, '@daily', 'last', 1, 'allow', false,
                           now() + interval '1 day'
                      from generate_series(1, $1) as number";
    sqlx::query(schedule).bind(INVENTED as i32).execute(&roles.pool).await.unwrap();
}
