//! One path with several methods is one entry of the document, though each method has a file of its own.
//!
//! Without this poem-openapi writes the path once for each of them, and of members with one name a JSON reader keeps the last.

use std::collections::HashMap;
use std::marker::PhantomData;

use poem::endpoint::BoxEndpoint;
use poem::http::Method;
use poem_openapi::OpenApi;
use poem_openapi::registry::{MetaApi, MetaPath, Registry};

use crate::state::State;

/// Operations whose paths are described together.
pub(crate) struct Merged<T>(pub(crate) T);

impl<T: OpenApi> OpenApi for Merged<T> {
    fn meta() -> Vec<MetaApi> {
        let mut paths: Vec<MetaPath> = Vec::new();
        for path in T::meta().into_iter().flat_map(|api| api.paths) {
            match paths.iter_mut().find(|known| known.path == path.path) {
                Some(known) => known.operations.extend(path.operations),
                None => paths.push(path),
            }
        }
        vec![MetaApi { paths }]
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn add_routes(self, routes: &mut HashMap<String, HashMap<Method, BoxEndpoint<'static>>>) {
        self.0.add_routes(routes);
    }
}

/// Operations as they are described, without what they need to be called.
struct Described<T>(PhantomData<fn() -> T>);

/// The description of what `operations` would make.
pub(crate) fn described<T: OpenApi>(_operations: impl FnOnce(&State) -> T) -> impl OpenApi {
    Described::<T>(PhantomData)
}

impl<T: OpenApi> OpenApi for Described<T> {
    fn meta() -> Vec<MetaApi> {
        T::meta()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn add_routes(self, _routes: &mut HashMap<String, HashMap<Method, BoxEndpoint<'static>>>) {}
}
