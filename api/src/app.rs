//! The endpoint: routes, probes and documentation behind the edge.

use poem::{Endpoint, Response, Route};

use crate::edge::{Edge, Paths};
use crate::probes;
use crate::state::ApiState;

/// The whole API as one poem endpoint, for a server or for a test to call.
pub fn endpoint(state: ApiState) -> impl Endpoint<Output = Response> {
    let route = probes::routes(Route::new(), &state);
    let paths = probes::PATHS.iter().fold(Paths::of::<()>(), |paths, path| paths.and_get(path));
    Edge::new(route, state, paths)
}
