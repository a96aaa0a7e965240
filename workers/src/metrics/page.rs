//! Serves the joined page on a port of its own.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures::future::{BoxFuture, join_all};
use poem::endpoint::make;
use poem::listener::{Acceptor, Listener, TcpAcceptor, TcpListener};
use poem::{EndpointExt, Request, Response, Route, Server, get};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::merge::Page;
use super::totals::Totals;
use super::usage;
use crate::supervisor::lifeline::Line;

/// The content type of Prometheus' text format.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How often children are asked when nobody else asks.
const GAP: Duration = Duration::from_secs(5);

/// How long a scrape that is under way may go on once the supervisor ends.
const DRAIN: Duration = Duration::from_millis(200);

/// Where the page gets its parts.
#[derive(Clone)]
pub struct Sources {
    /// The metrics of this process.
    pub own: Arc<dyn Fn() -> String + Send + Sync>,
    /// The slot of each child, with its process id and the line to it.
    pub children: Arc<dyn Fn() -> Vec<Child> + Send + Sync>,
}

/// A child that runs.
#[derive(Debug, Clone)]
pub struct Child {
    /// Its slot.
    pub slot: String,
    /// Its process id.
    pub pid: u32,
    /// The line to it.
    pub line: Arc<Line>,
}

/// The page, and what it remembers from one look to the next.
struct Tally {
    sources: Sources,
    totals: Mutex<Totals<Line>>,
    usage: Mutex<usage::Slots>,
}

impl Tally {
    fn new(sources: Sources) -> Tally {
        Tally { sources, totals: Mutex::default(), usage: Mutex::default() }
    }

    /// Asks all children at once, and those that drain; one that does not answer in time is left out.
    async fn render(&self) -> String {
        let children = (self.sources.children)();
        let current: Vec<_> = children.iter().map(|child| (child.slot.clone(), Arc::clone(&child.line))).collect();
        let former = self.totals().former(&current);
        let ask = |(slot, line): (String, Arc<Line>)| async move {
            let answer = line.ask().await;
            (slot, line, answer)
        };
        let (former, current) =
            tokio::join!(join_all(former.into_iter().map(ask)), join_all(current.into_iter().map(ask)));
        let mut totals = self.totals();
        for (slot, line, answer) in former {
            match answer {
                Ok(text) => totals.note(&slot, &line, &text),
                // One that is slow has not gone.
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {}
                Err(_) => totals.ended(&slot, &line),
            }
        }
        let mut page = Page::default();
        page.add(&(self.sources.own)(), None);
        page.add(&self.look(&children), None);
        for (slot, line, answer) in current {
            match answer {
                Ok(text) => {
                    totals.note(&slot, &line, &text);
                    page.add(&totals.raise(&slot, &line, &text), Some(&slot));
                }
                Err(error) => tracing::warn!(child = slot, %error, "child did not tell its metrics"),
            }
        }
        page.render()
    }

    /// What the processes take of the machine.
    fn look(&self, children: &[Child]) -> String {
        let running: Vec<_> = children.iter().map(|child| (child.slot.clone(), child.pid)).collect();
        let mut usage = self.usage.lock().expect("nothing panics while it is held");
        usage.look(&running);
        usage.page()
    }

    /// Asks again and again, so that little is lost of what a process counted before it is killed.
    async fn keep(&self) {
        let mut ticks = interval(GAP);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.render().await;
        }
    }

    fn totals(&self) -> MutexGuard<'_, Totals<Line>> {
        self.totals.lock().expect("nothing panics while it is held")
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
    let tally = Arc::new(Tally::new(sources));
    let rendered = Arc::clone(&tally);
    let page = make(move |_: Request| -> BoxFuture<'static, poem::Result<Response>> {
        let tally = Arc::clone(&rendered);
        Box::pin(async move { Ok(Response::builder().content_type(CONTENT_TYPE).body(tally.render().await)) })
    });
    let live = make(|_: Request| async { Ok::<_, poem::Error>("ok\n") });
    let routes = Route::new().at("/metrics", get(page)).at("/livez", get(live)).boxed();
    let server = Server::new_with_acceptor(bound.acceptor);
    let served = server.run_with_graceful_shutdown(routes, shutdown.cancelled(), Some(DRAIN));
    tokio::select! {
        served = served => served,
        () = tally.keep() => unreachable!("it is kept for ever"),
    }
}
