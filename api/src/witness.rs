//! The role of a witness: `POST /add-checkpoint` (C2SP tlog-witness), and nothing else.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ledger::witness::{Witness, WitnessError};
use poem::http::StatusCode;
use poem::web::Data;
use poem::{Body, EndpointExt, Response, Route, handler, post};
use tokio::net::TcpListener;

use crate::server::{Socket, serve_endpoint};
use crate::state::Limits;

/// The longest request: a proof of 63 hashes and a note with room for many signatures.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// The media type of the size that a conflict answers with.
const SIZE: &str = "text/x.tlog.size";

const TEXT: &str = "text/plain; charset=utf-8";

/// What a witness needs to run.
pub struct WitnessConfig {
    /// The bound socket.
    pub listener: TcpListener,
    /// Who signs, for which logs, and what it remembers.
    pub witness: Witness,
}

/// Serves a witness until `shutdown` resolves, then lets requests in flight end.
///
/// # Errors
/// When the socket has no address any more.
pub async fn serve_witness(config: WitnessConfig, shutdown: impl Future<Output = ()>) -> io::Result<()> {
    let route = Route::new().at("/add-checkpoint", post(add_checkpoint)).data(Arc::new(config.witness));
    let socket = Socket { listener: config.listener, tls: None, limits: Limits::default() };
    serve_endpoint(socket, route, shutdown).await
}

#[handler]
async fn add_checkpoint(body: Body, Data(witness): Data<&Arc<Witness>>) -> Response {
    let read = tokio::time::timeout(BODY_TIMEOUT, body.into_bytes_limit(BODY_BYTES_MAX)).await;
    let request = match read {
        Ok(Ok(request)) => request,
        Ok(Err(_)) => return text(StatusCode::PAYLOAD_TOO_LARGE, TEXT, "the request is too long\n"),
        Err(_) => return text(StatusCode::REQUEST_TIMEOUT, TEXT, "the request took too long\n"),
    };
    let witness = witness.clone();
    // Writing waits for the disk, which is no work for the threads that serve.
    match tokio::task::spawn_blocking(move || witness.add_checkpoint(&request, now_s())).await {
        Ok(Ok(cosignature)) => text(StatusCode::OK, TEXT, cosignature),
        Ok(Err(error)) => refused(&error),
        Err(_panic) => text(StatusCode::INTERNAL_SERVER_ERROR, TEXT, "something broke here\n"),
    }
}

/// The answers of the specification.
fn refused(error: &WitnessError) -> Response {
    let status = match error {
        WitnessError::Conflict { signed } => return text(StatusCode::CONFLICT, SIZE, format!("{signed}\n")),
        WitnessError::Request(_) => StatusCode::BAD_REQUEST,
        WitnessError::UnknownOrigin(_) => StatusCode::NOT_FOUND,
        WitnessError::UnknownKey => StatusCode::FORBIDDEN,
        WitnessError::NotConsistent => StatusCode::UNPROCESSABLE_ENTITY,
        WitnessError::Store(error) => {
            tracing::error!(%error, "the witness cannot remember, so it does not sign");
            return text(StatusCode::INTERNAL_SERVER_ERROR, TEXT, "the witness cannot remember\n");
        }
    };
    text(status, TEXT, format!("{error}\n"))
}

fn text(status: StatusCode, media_type: &'static str, body: impl Into<Body>) -> Response {
    Response::builder().status(status).content_type(media_type).body(body.into())
}

/// The witness's own clock: what it signs says when.
fn now_s() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
