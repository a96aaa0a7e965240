//! What machines ask of the process itself: is it alive, may it get traffic, how is it doing.

use std::time::Duration;

use ledger::Book;
use poem::http::{HeaderValue, header};
use poem::{Response, get};
use queue::instance::{self, Target};
use serde_json::{Value, json};

use crate::problem::Problem;
use crate::state::State;

/// A database that takes longer than this to say hello is not ready for traffic.
const READY_TIMEOUT: Duration = Duration::from_secs(2);

/// The paths served here.
pub(crate) const PATHS: [&str; 4] = ["/livez", "/readyz", "/metrics", "/metrics/targets"];

/// Adds the probes to the routes.
pub(crate) fn routes(route: poem::Route, state: &State) -> poem::Route {
    let (ready, rendered, listed) = (state.clone(), state.clone(), state.clone());
    route
        .at("/livez", get(poem::endpoint::make_sync(|_| text("ok\n"))))
        .at("/readyz", get(poem::endpoint::make(move |_| readyz(ready.clone()))))
        .at("/metrics", get(poem::endpoint::make_sync(move |_| metrics(&rendered))))
        .at("/metrics/targets", get(poem::endpoint::make(move |_| targets(listed.clone()))))
}

/// Ready when the database answers.
async fn readyz(state: State) -> poem::Result<Response> {
    let hello = sqlx::query("select 1").execute(&state.pool);
    match tokio::time::timeout(READY_TIMEOUT, hello).await {
        Ok(Ok(_)) => Ok(text("ok\n")),
        _ => Err(Problem::unavailable("database_unavailable", "The database does not answer.").into()),
    }
}

fn metrics(state: &State) -> poem::Result<Response> {
    let Some(handle) = &state.metrics else { return Err(Problem::not_found().into()) };
    let mut response = text(crate::metrics::page(handle, &state.pool));
    let exposition = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, exposition);
    Ok(response)
}

/// Where every role's metrics are, as Prometheus' `http_sd_config` reads it. While the database is away Prometheus goes on with what it knew.
async fn targets(state: State) -> poem::Result<Response> {
    let targets = instance::targets(&state.pool, Book::MAIN.shard).await.map_err(Problem::from)?;
    let group = |target: Target| {
        let labels = json!({ "role": target.role, "__scheme__": target.scheme });
        json!({ "targets": [target.address], "labels": labels })
    };
    let groups: Value = targets.into_iter().map(group).collect();
    Ok(Response::builder().content_type("application/json").body(groups.to_string()))
}

fn text(body: impl Into<poem::Body>) -> Response {
    Response::builder().content_type("text/plain; charset=utf-8").body(body)
}
