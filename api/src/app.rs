//! The endpoint: operations, probes and documentation behind the edge.

use poem::{Endpoint, IntoEndpoint, Response, Route};
use poem_openapi::OpenApi;

use crate::edge::{Edge, Paths};
use crate::routes::operations;
use crate::state::{ApiState, Shared, State};
use crate::{documents, probes};

/// The whole API as one poem endpoint, for a server or for a test to call. Must be called within a tokio runtime.
pub fn endpoint(state: ApiState) -> impl Endpoint<Output = Response> {
    endpoint_of(Shared::new(state))
}

/// The same on what is shared already.
pub(crate) fn endpoint_of(state: State) -> impl Endpoint<Output = Response> {
    let operations = operations(&state);
    let mut paths = paths_of(&operations);
    for path in probes::PATHS.iter().chain(&documents::PATHS) {
        paths = paths.and_get(path);
    }
    crate::edge::describe_metrics();
    crate::auth::describe_metrics();
    crate::realtime::describe_metrics();
    let service = documents::service(operations);
    let document = documents::render(&service);
    let route = Route::new().nest_no_strip("/api", service.into_endpoint());
    let route = documents::routes(probes::routes(route, &state), document);
    Edge::new(route, state, paths)
}

/// The OpenAPI document, as the API serves it. It needs no state.
pub fn document() -> String {
    documents::document(&documents::service(crate::routes::described()))
}

fn paths_of<T: OpenApi>(_operations: &T) -> Paths {
    Paths::of::<T>()
}
