//! The socket: accepting, timeouts of the connection, stopping in order.
//!
//! poem's own server leaves Nagle's algorithm on (40 ms stalls on small frames), waits for ever for a header and spins when
//! accepting fails, so hyper is driven directly and poem begins at the request.

mod tls;

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::HttpService;
use hyper_util::rt::{TokioIo, TokioTimer};
use poem::http::uri::Scheme;
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Endpoint, EndpointExt, IntoEndpoint, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};

pub use tls::Tls;

use crate::state::{ApiState, Limits, Shared};

/// After accepting failed (as when file descriptors run out), so long a pause: a hot loop would only make it worse.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// After the signal to stop, requests in flight have so long to end.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(25);

/// What the API needs to run.
pub struct ApiConfig {
    /// The bound socket; the caller binds it, so that a port in use is its error to explain.
    pub listener: TcpListener,
    /// What the operations share.
    pub state: ApiState,
    /// With what to serve TLS; without it, plain HTTP.
    pub tls: Option<Tls>,
}

/// Serves the API until `shutdown` resolves, then lets requests in flight end.
///
/// # Errors
/// When the socket has no address any more.
pub async fn serve(config: ApiConfig, shutdown: impl Future<Output = ()>) -> io::Result<()> {
    let limits = config.state.limits.clone();
    let socket = Socket { listener: config.listener, tls: config.tls, limits };
    let state = Shared::new(config.state);
    let (hub, phoenix) = (Arc::clone(&state.hub), Arc::clone(&state.phoenix));
    let (stop, stopping) = oneshot::channel::<()>();
    // Those who are connected for long let go only when they are asked to, while the requests in flight end.
    let drain = async move {
        shutdown.await;
        drop(stop);
        hub.close();
        phoenix.drain().await;
    };
    let served = serve_endpoint(socket, crate::app::endpoint_of(state), async { drop(stopping.await) });
    let (served, ()) = tokio::join!(served, drain);
    served
}

/// Where to serve, and how.
pub(crate) struct Socket {
    pub(crate) listener: TcpListener,
    pub(crate) tls: Option<Tls>,
    pub(crate) limits: Limits,
}

/// Serves one endpoint until `shutdown` resolves, then lets requests in flight end.
pub(crate) async fn serve_endpoint(
    Socket { listener, tls, limits }: Socket,
    endpoint: impl IntoEndpoint<Endpoint: 'static>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let (limits, endpoint) = (Arc::new(limits), Arc::new(endpoint.into_endpoint().map_to_response()));
    let (stop, stopping) = watch::channel(());
    let server = Server { local: listener.local_addr()?, tls, limits, endpoint, stopping };
    let connections = Arc::new(Semaphore::new(server.limits.connections_max));
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            (stream, remote, permit) = accept(&listener, &connections) => server.spawn(stream, remote, permit),
        }
    }
    drop((listener, stop));
    // Each open connection holds a permit: all of them free means that all have ended.
    let all = u32::try_from(server.limits.connections_max).unwrap_or(u32::MAX);
    if tokio::time::timeout(DRAIN_TIMEOUT, connections.acquire_many(all)).await.is_err() {
        tracing::warn!("requests were still in flight when the time to drain was over");
    }
    Ok(())
}

/// The next connection, as soon as there is room for one more.
async fn accept(listener: &TcpListener, connections: &Arc<Semaphore>) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    let permit = connections.clone().acquire_owned().await.expect("the semaphore is never closed");
    loop {
        match listener.accept().await {
            Ok((stream, remote)) => return (stream, remote, permit),
            Err(error) => {
                tracing::warn!(%error, "accepting a connection failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

struct Server<E> {
    local: SocketAddr,
    tls: Option<Tls>,
    limits: Arc<Limits>,
    endpoint: Arc<E>,
    /// Its sender is dropped when the server is to stop.
    stopping: watch::Receiver<()>,
}

impl<E: Endpoint<Output = Response> + 'static> Server<E> {
    /// Serves one connection on a task of its own.
    fn spawn(&self, stream: TcpStream, remote: SocketAddr, permit: OwnedSemaphorePermit) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection was gone before it was served");
            return;
        }
        let (local, remote) = (LocalAddr(self.local.into()), RemoteAddr(remote.into()));
        let scheme = if self.tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP };
        let endpoint = self.endpoint.clone();
        let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
            let request = (request, local.clone(), remote.clone(), scheme.clone()).into();
            let endpoint = endpoint.clone();
            async move { Ok::<_, Infallible>(hyper::Response::from(endpoint.get_response(request).await)) }
        });
        let timeout = self.limits.header_timeout;
        let mut http = http1::Builder::new();
        // Without `pipeline_flush`: with it, hyper gathers the whole of a body that its client does not read.
        http.timer(TokioTimer::new()).header_read_timeout(timeout);
        let (tls, stopping) = (self.tls.as_ref().map(Tls::acceptor), self.stopping.clone());
        tokio::spawn(async move {
            if let Some(tls) = tls {
                match tokio::time::timeout(timeout, tls.accept(stream)).await {
                    Ok(Ok(stream)) => drive(&http, stream, service, stopping).await,
                    Ok(Err(error)) => tracing::debug!(%error, "a client and we do not agree on TLS"),
                    Err(_late) => tracing::debug!("a client took too long to agree on TLS"),
                }
            } else {
                drive(&http, stream, service, stopping).await;
            }
            drop(permit);
        });
    }
}

/// Serves a connection to its end; when the server is to stop, that is the end of the request in flight.
async fn drive<S, B>(
    http: &http1::Builder,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    service: S,
    mut stopping: watch::Receiver<()>,
) where
    S: HttpService<Incoming, ResBody = B, Error = Infallible>,
    B: Body<Error: Into<Box<dyn Error + Send + Sync>>> + 'static,
{
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service).with_upgrades());
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        _ = stopping.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}
