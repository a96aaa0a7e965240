//! The outermost layer: every request gets an id, every outcome becomes an answer.

mod buckets;
mod clients;
mod context;
mod cors;
mod headers;
mod load;
mod negotiate;
pub(crate) mod observe;
mod paths;
mod rates;
pub(crate) mod retired;
mod traced;

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use futures::FutureExt;
use poem::error::MethodNotAllowedError;
use poem::http::uri::Scheme;
use poem::http::{Method, StatusCode, header};
use poem::{Endpoint, PathPattern, Request, Response};

pub(crate) use buckets::Buckets;
pub use clients::Network;
pub(crate) use context::Context;
pub use cors::Origin;
pub(crate) use load::Load;
pub(crate) use paths::Paths;
pub use rates::{Rate, RateLimit, Rates};
use traced::Traced;

use crate::body::upload;
use crate::problem::{Problem, from_poem};
use crate::state::State;

/// Whom a request is from, as far as its peer is to be believed.
pub(crate) fn client_address(request: &Request, proxies: &[Network]) -> Option<IpAddr> {
    clients::address(request.remote_addr(), request.headers(), proxies)
}

/// Whether the page that sent the request is of one of these origins.
pub(crate) fn is_allowed_origin(request: &Request, allowed: &[Origin]) -> bool {
    cors::origin(request, allowed).is_some()
}

/// Wraps the routes.
pub(crate) struct Edge<E> {
    inner: E,
    state: State,
    paths: Arc<Paths>,
}

impl<E> Edge<E> {
    /// `paths` are the operations behind `inner`, for `Allow` and for refusing unknown query parameters.
    pub(crate) fn new(inner: E, state: State, paths: Paths) -> Edge<E> {
        Edge { inner, state, paths: Arc::new(paths) }
    }
}

impl<E: Endpoint<Output = Response>> Endpoint for Edge<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let context = Context::of(&request, self.state.clone(), self.paths.clone());
        let traced = Traced::of(&request, &context);
        let (method, response, route) = traced.around(self.answer(request, context)).await;
        traced.end(&method, &route, response.status());
        Ok(response)
    }
}

impl<E: Endpoint<Output = Response>> Edge<E> {
    /// The answer to a request, with its method and the template of its path.
    async fn answer(&self, mut request: Request, context: Context) -> (Method, Response, Arc<str>) {
        let started = Instant::now();
        let (method, uri, is_tls) =
            (request.method().clone(), request.uri().clone(), *request.scheme() == Scheme::HTTPS);
        let origins = &self.state.limits.origins;
        let origin = cors::origin(&request, origins);
        request.extensions_mut().insert(context.clone());
        let (mut response, route) = match self.outcome(request, &context).await {
            Ok(response) => {
                let route = response.data::<PathPattern>().cloned();
                (response, route)
            }
            Err((problem, route)) => (problem.into_response(uri.path(), &context.request_id), route),
        };
        if !method.is_safe() && response.status().is_success() {
            // What was committed may have published something.
            self.state.notifier.tell(domain::events::CHANNEL);
        }
        headers::secure(&mut response, &context.request_id, is_tls);
        buckets::show(&mut response, context.standing());
        self.paths.tell(route.as_ref(), &method, &mut response);
        if !origins.is_empty() {
            cors::allow(&mut response, origin);
        }
        let route = self.paths.template(route.as_ref());
        observe::request(route.clone(), &method, response.status(), started.elapsed());
        (method, response, route)
    }

    /// What becomes of a request; what goes wrong is a problem, with the route if it got that far.
    async fn outcome(&self, request: Request, context: &Context) -> Result<Response, (Problem, Option<PathPattern>)> {
        if let Some(response) = self.preflight(&request) {
            return Ok(response);
        }
        let early = |problem| (problem, None);
        negotiate::accepts_json(&request).map_err(early)?;
        self.paths.check_query(&request).map_err(early)?;
        // What the process says of itself is said whatever else there is to do.
        if !request.uri().path().starts_with("/api/") {
            return self.within_its_time(request).await;
        }
        if !request.method().is_safe() {
            negotiate::has_plain_headers(&request).map_err(early)?;
        }
        let address = client_address(&request, &self.state.limits.proxies);
        let is_known = self.count_unknown(&request, address, context).map_err(early)?;
        let _seat = self.state.load.enter().map_err(early)?;
        let outcome = self.within_its_time(request).await;
        if is_known && outcome.as_ref().is_err_and(|(problem, _)| problem.status() == StatusCode::UNAUTHORIZED) {
            // It was somebody unknown after all; the refusal, if this one is too many, comes with the next.
            address.map(|address| self.state.buckets.take_from(address, false).ok());
        }
        outcome
    }

    /// The answer to a browser that asks what a page of another origin may do.
    fn preflight(&self, request: &Request) -> Option<Response> {
        if self.state.limits.origins.is_empty() || !cors::is_preflight(request) {
            return None;
        }
        self.paths.allow_at(request.uri().path()).map(cors::preflight)
    }

    /// Counts the request against the limits of its address, if it does not say who sends it or needs not. Whether it does.
    fn count_unknown(&self, request: &Request, address: Option<IpAddr>, context: &Context) -> Result<bool, Problem> {
        let (buckets, is_login) = (&self.state.buckets, self.paths.is_open_write(request));
        let says_who = request.headers().contains_key(header::AUTHORIZATION) && !is_login;
        match address {
            Some(address) if says_who => buckets.check(address)?,
            Some(address) => context.stands(buckets.take_from(address, is_login)?),
            None => {}
        }
        Ok(says_who)
    }

    /// Runs the request within its time.
    async fn within_its_time(&self, request: Request) -> Result<Response, (Problem, Option<PathPattern>)> {
        let limit = self.state.limits.request_timeout
            + negotiate::wait(&request)
            + upload::patience(&request, &self.state.limits);
        let work = tokio::time::timeout(limit, AssertUnwindSafe(self.inner.call(request)).catch_unwind());
        match work.await {
            Ok(Ok(Ok(response))) => Ok(response),
            Ok(Ok(Err(error))) => Err(self.refused(error)),
            Ok(Err(_panic)) => {
                tracing::error!("a request panicked");
                Err((Problem::internal(), None))
            }
            Err(_elapsed) => {
                Err((Problem::unavailable("timeout", "The request took too long and was given up."), None))
            }
        }
    }

    fn refused(&self, error: poem::Error) -> (Problem, Option<PathPattern>) {
        let route = error.data::<PathPattern>().cloned();
        let allow = error.is::<MethodNotAllowedError>().then(|| self.paths.allow(route.as_ref()));
        let problem = from_poem(error, &self.paths.template(route.as_ref()));
        let problem = match allow.flatten() {
            Some(allow) => problem.header(header::ALLOW, allow),
            None => problem,
        };
        (problem, route)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use poem::http::StatusCode;
    use sqlx::PgPool;

    use super::*;
    use crate::state::{ApiState, Limits, Shared};

    /// What the edge makes of an endpoint; nothing here reaches the database.
    async fn answer(endpoint: impl Endpoint<Output = Response>) -> (StatusCode, String) {
        let pool = PgPool::connect_lazy("postgres://nobody@localhost/nothing").unwrap();
        let notifier = queue::Notifier::spawn(pool.clone());
        let submitter = jobs::record_transaction::Submitter::spawn(pool.clone(), notifier.clone());
        let limits = Limits { request_timeout: Duration::from_millis(20), ..Limits::default() };
        let state = Shared::new(ApiState { pool, submitter, notifier, metrics: None, limits, replica: None });
        let response = Edge::new(endpoint, state, Paths::of::<()>()).call(Request::default()).await.unwrap();
        assert!(response.header("x-request-id").is_some());
        (response.status(), response.into_body().into_string().await.unwrap())
    }

    #[tokio::test]
    async fn a_panic_is_an_answer_that_tells_nothing() {
        let panics = poem::endpoint::make_sync(|_| -> Response { panic!("the secret") });
        let (status, body) = answer(panics).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(body.contains("internal_error") && !body.contains("secret"), "{body}");
    }

    #[tokio::test]
    async fn a_request_that_takes_too_long_is_given_up() {
        let hangs = poem::endpoint::make(|_| std::future::pending::<Response>());
        let (status, body) = answer(hangs).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(body.contains("\"timeout\""), "{body}");
    }
}
