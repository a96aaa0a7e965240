//! The paths behind the edge: which methods and query parameters each takes. Derived from the operations, never kept by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use domain::access::scope::Scope;
use poem::http::{self, HeaderValue};
use poem::{PathPattern, Request, Response};
use poem_openapi::OpenApi;
use poem_openapi::registry::{MetaOperation, MetaParamIn};

use super::retired::{self, Retired};
use crate::problem::{FieldProblem, Place, Problem};

/// What stands in the metrics for a request that matched no route.
const UNMATCHED: &str = "unmatched";

#[derive(Default)]
struct Path {
    /// As documented, `/users/{id}`; the label in metrics.
    template: Arc<str>,
    /// What each method takes.
    methods: BTreeMap<String, Method>,
}

/// What is declared of one operation.
#[derive(Default)]
struct Method {
    query: BTreeSet<String>,
    /// What a caller must have.
    scopes: Vec<Scope>,
    /// Whether its answer depends on the header `Prefer`.
    prefers: bool,
    /// Whether it is to go.
    retired: Option<&'static Retired>,
    /// The statuses that its answers have, as far as they are documented.
    statuses: BTreeSet<u16>,
    /// Whether it takes parameters that are not listed.
    is_open: bool,
}

impl Method {
    fn of(operation: MetaOperation) -> Method {
        let scopes = operation.security.iter().flat_map(|schemes| schemes.values().flatten());
        let scopes = scopes.map(|name| Scope::parse(name).expect("scopes are declared by needs")).collect();
        let retired = operation.operation_id.and_then(retired::find);
        let prefers = operation.params.iter().any(|parameter| parameter.name == "Prefer");
        let statuses = operation.responses.responses.iter().filter_map(|response| response.status).collect();
        let query = operation.params.into_iter().filter(|parameter| parameter.in_type == MetaParamIn::Query);
        let query = query.map(|parameter| parameter.name).collect();
        Method { query, scopes, prefers, retired, statuses, is_open: false }
    }
}

impl Path {
    fn allow(&self) -> Option<HeaderValue> {
        let mut methods: Vec<&str> = self.methods.keys().map(String::as_str).collect();
        if methods.contains(&"GET") {
            methods.push("HEAD");
        }
        HeaderValue::from_str(&methods.join(", ")).ok()
    }
}

/// All paths, by the pattern poem reports for them.
pub(crate) struct Paths {
    known: BTreeMap<String, Path>,
    /// Method and template of what changes something and is for everybody, such as logging in; few are.
    open_writes: Vec<(String, String)>,
    unmatched: Arc<str>,
}

impl Paths {
    /// The paths of the operations of `T`.
    pub(crate) fn of<T: OpenApi>() -> Paths {
        let mut paths = Paths { known: BTreeMap::new(), open_writes: Vec::new(), unmatched: UNMATCHED.into() };
        for path in T::meta().into_iter().flat_map(|api| api.paths) {
            for operation in path.operations {
                let name = operation.method.to_string();
                if operation.security.is_empty() && !operation.method.is_safe() {
                    paths.open_writes.push((name.clone(), path.path.clone()));
                }
                paths.entry(&path.path).methods.insert(name, Method::of(operation));
            }
        }
        paths
    }

    /// Adds a path that is no documented operation and is only read.
    pub(crate) fn and_get(mut self, path: &str) -> Paths {
        self.entry(path).methods.insert(http::Method::GET.to_string(), Method::default());
        self
    }

    /// The label, the method and the statuses of every operation, with the error of ours that any of them may have.
    pub(crate) fn operations(&self) -> impl Iterator<Item = (Arc<str>, String, BTreeSet<u16>)> {
        self.known.values().flat_map(|path| {
            path.methods.iter().map(|(name, method)| {
                let mut statuses = method.statuses.clone();
                if statuses.is_empty() {
                    statuses.insert(200);
                }
                statuses.insert(500);
                (path.template.clone(), name.clone(), statuses)
            })
        })
    }

    /// Adds a path of the channels: their clients may send parameters of their own.
    pub(crate) fn and_socket(mut self, path: &str) -> Paths {
        for method in [http::Method::GET, http::Method::POST] {
            self.entry(path).methods.insert(method.to_string(), Method { is_open: true, ..Method::default() });
        }
        self
    }

    fn entry(&mut self, template: &str) -> &mut Path {
        let path = self.known.entry(pattern(template)).or_default();
        path.template = template.into();
        path
    }

    fn matched(&self, route: Option<&PathPattern>) -> Option<&Path> {
        self.known.get(&*route?.0)
    }

    /// The route as metrics label it.
    pub(crate) fn template(&self, route: Option<&PathPattern>) -> Arc<str> {
        self.matched(route).map_or(&self.unmatched, |path| &path.template).clone()
    }

    /// The `Allow` header of a path.
    pub(crate) fn allow(&self, route: Option<&PathPattern>) -> Option<HeaderValue> {
        self.matched(route)?.allow()
    }

    /// The same of the path that a request names, which has not been routed.
    pub(crate) fn allow_at(&self, path: &str) -> Option<HeaderValue> {
        self.known.values().find(|known| fits(&known.template, path))?.allow()
    }

    /// Whether the request changes something by an operation that is for everybody, such as logging in.
    pub(crate) fn is_open_write(&self, request: &Request) -> bool {
        let (method, path) = (request.method().as_str(), request.uri().path());
        self.open_writes.iter().any(|(known, template)| known == method && fits(template, path))
    }

    /// Says on an answer what follows from how its operation is declared: what it depends on, and that the operation is to go.
    pub(crate) fn tell(&self, route: Option<&PathPattern>, method: &http::Method, response: &mut Response) {
        let Some(method) = self.matched(route).and_then(|path| path.methods.get(method.as_str())) else { return };
        if method.prefers {
            response.headers_mut().append(http::header::VARY, HeaderValue::from_static("Prefer"));
        }
        if let Some(retired) = method.retired {
            retired.tell(response);
        }
    }

    /// Refuses a query parameter that the operation does not have, or has once: a misspelt filter must not look like a wide result.
    pub(crate) fn check_query(&self, request: &Request) -> Result<(), Problem> {
        let Some(query) = request.uri().query().filter(|query| !query.is_empty()) else { return Ok(()) };
        let Some(known) = self.find(request) else { return Ok(()) };
        let mut seen = BTreeSet::new();
        let names = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split('=').next().unwrap_or(pair));
        let wrong: Vec<_> = names.filter_map(|name| check_name(name, known, &mut seen)).collect();
        if wrong.is_empty() { Ok(()) } else { Err(Problem::invalid(wrong)) }
    }

    /// The query parameters of the operation that a request names, found by its path without poem's help: it has not routed yet.
    fn find(&self, request: &Request) -> Option<&BTreeSet<String>> {
        let fits = |path: &&Path| fits(&path.template, request.uri().path());
        // As the router does: a path that is written out goes before one with a parameter, whatever the method.
        let found = self.known.values().filter(fits).min_by_key(|path| path.template.matches('{').count())?;
        let method = found.methods.get(method(request))?;
        (!method.is_open).then_some(&method.query)
    }

    /// The scopes that the operation of a request asks of its caller; the request has been routed.
    pub(crate) fn scopes(&self, request: &Request) -> &[Scope] {
        let path = self.matched(request.data::<PathPattern>()).expect("an operation is reached by its documented path");
        &path.methods.get(method(request)).expect("poem routes a method that is documented").scopes
    }
}

/// The method as it is documented: a HEAD is a GET without its body.
fn method(request: &Request) -> &str {
    if request.method() == http::Method::HEAD { "GET" } else { request.method().as_str() }
}

/// `/users/{id}` as poem-openapi registers it: `/users/:param0`.
fn pattern(template: &str) -> String {
    let mut count = 0;
    let segments = template.split('/').map(|segment| {
        if !segment.starts_with('{') {
            return segment.to_owned();
        }
        count += 1;
        format!(":param{}", count - 1)
    });
    segments.collect::<Vec<_>>().join("/")
}

fn fits(template: &str, path: &str) -> bool {
    let (mut wanted, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            // The rest of a path, with its slashes.
            (Some(wanted), Some(_)) if wanted.starts_with('*') => return true,
            (Some(wanted), Some(given)) if wanted.starts_with('{') || wanted == given => {}
            _ => return false,
        }
    }
}

/// What is wrong with a parameter of this name, if anything is.
fn check_name<'a>(name: &'a str, known: &BTreeSet<String>, seen: &mut BTreeSet<&'a str>) -> Option<FieldProblem> {
    let wrong = |code, detail| Some(FieldProblem { at: Place::Parameter(name.to_owned()), code, detail });
    if known.contains(name) {
        let is_first = seen.insert(name);
        return if is_first { None } else { wrong("duplicate_parameter", "This is given more than once.".to_owned()) };
    }
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    wrong(
        "unknown_parameter",
        match known.as_slice() {
            [] => "This operation takes no query parameters.".to_owned(),
            known => format!("There is no such parameter; there are {}.", known.join(", ")),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_fits_its_paths_only() {
        assert!(fits("/a/{id}/b", "/a/1/b"));
        assert!(!fits("/a/{id}", "/a/1/b"));
        assert!(!fits("/a/{id}/b", "/a/1/c"));
        assert!(fits("/a/*rest", "/a/1/c") && !fits("/a/*rest", "/a"));
        assert_eq!(pattern("/a/{id}/b/{other}"), "/a/:param0/b/:param1");
    }
}
