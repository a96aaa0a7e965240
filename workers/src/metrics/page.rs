//! Serves the joined page on a port of its own.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, join_all};
use poem::endpoint::make;
use poem::listener::{Acceptor, Listener, TcpAcceptor, TcpListener};
use poem::{EndpointExt, Request, Response, Route, Server, get};
use tokio_util::sync::CancellationToken;

use super::merge::Page;
use crate::supervisor::lifeline::Line;

/// The content type of Prometheus' text format.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How long a scrape that is under way may go on once the supervisor ends.
const DRAIN: Duration = Duration::from_millis(200);

/// Where the page gets its parts.
#[derive(Clone)]
pub struct Sources {
    /// The metrics of this process.
    pub own: Arc<dyn Fn() -> String + Send + Sync>,
    /// The slot of each child with the line to it.
    pub lines: Arc<dyn Fn() -> Vec<(String, Arc<Line>)> + Send + Sync>,
}

impl Sources {
    /// Asks all children at once; one that does not answer in time is left out.
    pub async fn render(&self) -> String {
        let lines = (self.lines)();
        let answers = join_all(lines.iter().map(|(slot, line)| async move { (slot, line.ask().await) })).await;
        let mut page = Page::default();
        page.add(&(self.own)(), None);
        for (slot, answer) in answers {
            match answer {
                Ok(text) => page.add(&text, Some(slot)),
                Err(error) => tracing::warn!(slot, %error, "child did not tell its metrics"),
            }
        }
        page.render()
    }
}

/// A port that is bound and not served yet.
pub struct Bound {
    acceptor: TcpAcceptor,
    /// Where it is: with the port that the system chose, if that was asked for.
    pub address: SocketAddr,
}

/// Binds the port, so that a port in use is told before anything is started.
///
/// # Errors
/// When the address cannot be bound.
pub async fn bind(address: SocketAddr) -> io::Result<Bound> {
    let acceptor = TcpListener::bind(address).into_acceptor().await?;
    let address = acceptor.local_addr().iter().find_map(|local| local.as_socket_addr().copied()).unwrap_or(address);
    Ok(Bound { acceptor, address })
}

/// Serves `/metrics`, and `/livez` for whoever watches the supervisor, until `shutdown`.
///
/// # Errors
/// When the port fails.
pub async fn serve(bound: Bound, sources: Sources, shutdown: CancellationToken) -> io::Result<()> {
    let page = make(move |_: Request| -> BoxFuture<'static, poem::Result<Response>> {
        let sources = sources.clone();
        Box::pin(async move { Ok(Response::builder().content_type(CONTENT_TYPE).body(sources.render().await)) })
    });
    let live = make(|_: Request| async { Ok::<_, poem::Error>("ok\n") });
    let routes = Route::new().at("/metrics", get(page)).at("/livez", get(live)).boxed();
    let server = Server::new_with_acceptor(bound.acceptor);
    server.run_with_graceful_shutdown(routes, shutdown.cancelled(), Some(DRAIN)).await
}
