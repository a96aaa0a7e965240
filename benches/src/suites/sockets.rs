//! Clients of channels: what thousands of idle ones cost, and how long it takes until all have heard of an event.

use std::io::{self, Read};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use domain::events::{Event, publish};
use futures::stream::{self, StreamExt, TryStreamExt};
use futures::{SinkExt, TryFutureExt};
use ledger::Book;
use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use sqlx::PgPool;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use uuid::Uuid;

use super::api::admin_key;
use crate::percentile::Durations;
use crate::report::Report;
use crate::roles::Roles;
use crate::server::Server;

/// How many connect at a time.
const CONNECT_AT_ONCE: usize = 64;

/// How long all may take to hear of one event.
const PATIENCE: Duration = Duration::from_secs(30);

type Client = WebSocketStream<TcpStream>;

/// Adds `events.sockets_mb`, `events.sockets_connect_s`, `events.fanout_p50_ms` and `events.fanout_p99_ms`.
pub(crate) async fn run(quick: bool, report: &mut Report) -> Result<()> {
    let (sockets, rounds) = if quick { (1_000, 20) } else { (10_000, 50) };
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    let server = Server::start().await?;
    let pool = server.pool(2).await?;
    let key = admin_key(&pool).await?;
    let topic = format!("user:{}", admin(&pool).await?);
    server.settle().await?;
    let roles = Roles::start(&server).await?;
    let before = resident_mb(roles.api_pid())?;
    let started = Instant::now();
    let connect = |_| connect(roles.api, &key, &topic);
    let clients = stream::iter(0..sockets).map(connect).buffer_unordered(CONNECT_AT_ONCE);
    let clients: Vec<Client> = clients.try_collect().await?;
    report.add("events.sockets_connect_s", started.elapsed().as_secs_f64(), "s");
    report.add("events.sockets_mb", resident_mb(roles.api_pid())?, "MB");
    report.add("events.sockets_before_mb", before, "MB");
    let mut took = fan_out(&pool, &topic, clients, rounds).await?;
    report.add("events.fanout_p50_ms", took.percentile_ms(50), "ms");
    report.add("events.fanout_p99_ms", took.percentile_ms(99), "ms");
    report.add("events.sockets_after_mb", resident_mb(roles.api_pid())?, "MB");
    Ok(())
}

async fn admin(pool: &PgPool) -> Result<Uuid> {
    let found = sqlx::query_scalar("select id from app.account_user where role = 'admin'").fetch_one(pool);
    found.await.context("there is an administrator")
}

/// A client that has joined the topic.
async fn connect(api: SocketAddr, key: &str, topic: &str) -> Result<Client> {
    let stream = TcpStream::connect(api).await?;
    stream.set_nodelay(true)?;
    let config = WebSocketConfig::default().read_buffer_size(4096).write_buffer_size(4096);
    let url = format!("ws://{api}/socket/websocket?token={key}&vsn=2.0.0");
    let (mut client, _) = tokio_tungstenite::client_async_with_config(url, stream, Some(config)).await?;
    client.send(Message::text(json!(["1", "1", topic, "phx_join", {}]).to_string())).await?;
    let reply = client.next().await.context("the connection was closed")??;
    ensure!(reply.to_text()?.contains("\"status\":\"ok\""), "the join was refused: {reply}");
    Ok(client)
}

/// One event after the other, each heard by all before the next; the times from the commit to each client.
async fn fan_out(pool: &PgPool, topic: &str, clients: Vec<Client>, rounds: usize) -> Result<Durations> {
    let (heard, mut hears) = mpsc::unbounded_channel();
    let count = clients.len();
    let clients: Vec<_> =
        clients.into_iter().map(|client| client.into_inner().into_std()).collect::<io::Result<_>>()?;
    std::thread::spawn(move || listen(&clients, &heard));
    let mut took = Durations::default();
    for round in 0..rounds {
        let mut tx = pool.begin().await?;
        publish(
            &mut tx,
            Book::MAIN,
            &[Event::new("wallet.opened", [topic.to_owned()], &json!({"v": 1, "round": round}))],
        )
        .await?;
        tx.commit().await?;
        let committed = Instant::now();
        sqlx::query("select pg_notify($1, '')").bind(domain::events::CHANNEL).execute(pool).await?;
        let mut left = count;
        while left > 0 {
            let came = tokio::time::timeout(PATIENCE, hears.recv()).map_err(anyhow::Error::from).await?;
            let came = came.context("a client was lost")??;
            left = left.checked_sub(came.len()).context("a client heard of an event twice")?;
            came.into_iter().for_each(|at| took.add(at.saturating_duration_since(committed)));
        }
    }
    Ok(took)
}

/// Reads what the clients are sent until one is closed, and tells when each text came. One thread that waits for all of them at once: the
/// machine is the service's, and what measures is to take little of it.
fn listen(clients: &[std::net::TcpStream], heard: &mpsc::UnboundedSender<Result<Vec<Instant>>>) {
    let listening = || -> Result<()> {
        let all = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        for (place, client) in clients.iter().enumerate() {
            epoll::add(&all, client, epoll::EventData::new_u64(place.try_into()?), epoll::EventFlags::IN)?;
        }
        let (mut ready, mut bytes) = (Vec::with_capacity(256), vec![0; 4096]);
        loop {
            ready.clear();
            epoll::wait(&all, spare_capacity(&mut ready), None)?;
            let mut came = Vec::with_capacity(ready.len());
            for event in &ready {
                let mut client = &clients[usize::try_from(event.data.u64())?];
                let read = client.read(&mut bytes)?;
                if read == 0 {
                    return Ok(());
                }
                came.extend(std::iter::repeat_n(Instant::now(), texts(&bytes[..read])?));
            }
            if heard.send(Ok(came)).is_err() {
                return Ok(());
            }
        }
    };
    if let Err(error) = listening() {
        // Nobody is left to be told of it once all have been heard.
        let _ = heard.send(Err(error));
    }
}

/// How many frames with text these bytes are; a frame is short and comes in one piece.
fn texts(mut bytes: &[u8]) -> Result<usize> {
    let mut texts = 0;
    while let [first, length, rest @ ..] = bytes {
        let (length, rest) = match (length, rest) {
            (126, [high, low, rest @ ..]) => (usize::from(u16::from_be_bytes([*high, *low])), rest),
            (0..126, rest) => (usize::from(*length), rest),
            _ => bail!("a frame is longer than expected"),
        };
        bytes = rest.get(length..).context("a frame came in pieces")?;
        texts += usize::from(first & 0x0f == 1);
    }
    Ok(texts)
}

/// The memory that a process holds.
fn resident_mb(pid: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("the kernel tells no VmRSS")?;
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(kilobytes / 1024.0)
}
