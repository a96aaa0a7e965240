//! A network between a client and PostgreSQL that a test can cut, halve, slow down and swallow: a proxy from one Unix
//! socket to another. PostgreSQL sees the account of the proxy, which is that of the tests.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::{fs, io};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The name of the socket in its folder, as PostgreSQL has it.
const SOCKET: &str = ".s.PGSQL.5432";

/// Which directions hold what they are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Held {
    /// From the client to the server: statements do not arrive.
    pub up: bool,
    /// From the server to the client: statements are carried out, and their answers do not arrive.
    pub down: bool,
}

/// What is to become of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Carried,
    /// The client's side is closed; the server's stays, and learns nothing.
    HalfOpen,
    Cut,
}

/// The test's end of one connection.
#[derive(Debug)]
struct Line {
    held: watch::Sender<Held>,
    fate: watch::Sender<Fate>,
}

/// What the proxy and its accepting task share.
#[derive(Debug, Default)]
struct Lines {
    /// For connections to come.
    held: Held,
    open: Vec<Line>,
}

/// A proxy; with it all its connections end.
#[derive(Debug)]
pub struct Proxy {
    folder: TempDir,
    lines: Arc<Mutex<Lines>>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Starts one before the server whose socket is in this folder.
    pub fn start(server: &Path) -> Proxy {
        let folder = tempfile::Builder::new().prefix("bn-proxy-").tempdir().expect("the temporary folder is writable");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("the folder is ours");
        let listener = UnixListener::bind(folder.path().join(SOCKET)).expect("the folder is empty");
        let lines = Arc::default();
        let accepting = tokio::spawn(accept_all(listener, server.join(SOCKET), Arc::clone(&lines)));
        Proxy { folder, lines, accepting }
    }

    /// The folder of its socket.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Holds these directions of all connections, new ones too, until it is told otherwise.
    pub fn hold(&self, held: Held) {
        let mut lines = self.lock();
        lines.held = held;
        lines.open.iter().for_each(|line| line.hold(held));
    }

    /// Holds these directions of one of the connections, until it is told otherwise of it or of all.
    pub fn hold_one(&self, number: u64, held: Held) {
        self.lock().one(number).into_iter().for_each(|line| line.hold(held));
    }

    /// Closes both sides of every connection.
    pub fn cut_all(&self) {
        self.lock().open.iter().for_each(|line| line.meet(Fate::Cut));
    }

    /// Closes both sides of one of the connections.
    pub fn cut_one(&self, number: u64) {
        self.lock().one(number).into_iter().for_each(|line| line.meet(Fate::Cut));
    }

    /// Closes the client's side of every connection; the server's stays open until the next cut.
    pub fn half_open(&self) {
        self.lock().open.iter().for_each(|line| line.meet(Fate::HalfOpen));
    }

    /// How many connections are open, half-open ones included.
    pub fn connections(&self) -> usize {
        let mut lines = self.lock();
        lines.forget_ended();
        lines.open.len()
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().expect("nothing panics while it is held")
    }
}

impl Line {
    fn hold(&self, held: Held) {
        self.held.send_replace(held);
    }

    fn meet(&self, fate: Fate) {
        self.fate.send_replace(fate);
    }
}

impl Lines {
    fn forget_ended(&mut self) {
        self.open.retain(|line| line.fate.receiver_count() > 0);
    }

    /// The connection of this number, counted round and round.
    fn one(&mut self, number: u64) -> Option<&Line> {
        self.forget_ended();
        self.open.get((number % self.open.len().max(1) as u64) as usize)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut_all();
    }
}

async fn accept_all(listener: UnixListener, server: PathBuf, lines: Arc<Mutex<Lines>>) {
    while let Ok((client, _)) = listener.accept().await {
        // A server that is not there is one that hangs up.
        let Ok(server) = UnixStream::connect(&server).await else { continue };
        let mut lines = lines.lock().expect("nothing panics while it is held");
        let line = Line { held: watch::Sender::new(lines.held), fate: watch::Sender::new(Fate::Carried) };
        let connection = Connection { client, server, held: line.held.subscribe(), fate: line.fate.subscribe() };
        lines.forget_ended();
        lines.open.push(line);
        tokio::spawn(connection.carry());
    }
}

struct Connection {
    client: UnixStream,
    server: UnixStream,
    held: watch::Receiver<Held>,
    fate: watch::Receiver<Fate>,
}

impl Connection {
    /// Carries both directions until either side ends, or the test wants it otherwise.
    async fn carry(mut self) {
        let (mut from_client, mut to_client) = self.client.into_split();
        let (mut from_server, mut to_server) = self.server.into_split();
        tokio::select! {
            _ = pump(&mut from_client, &mut to_server, self.held.clone(), |held| held.up) => return,
            _ = pump(&mut from_server, &mut to_client, self.held.clone(), |held| held.down) => return,
            _ = self.fate.wait_for(|fate| *fate != Fate::Carried) => {}
        }
        drop((from_client, to_client));
        // The sender's end is an end as well.
        let _ = self.fate.wait_for(|fate| *fate == Fate::Cut).await;
    }
}

async fn pump(
    from: &mut OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    mut held: watch::Receiver<Held>,
    is_held: impl Fn(&Held) -> bool,
) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let is_free = |held: &Held| !is_held(held);
        held.wait_for(is_free).await.map_err(io::Error::other)?;
        let length = from.read(&mut buffer).await?;
        // What had been on its way when the holding began is held as well.
        held.wait_for(is_free).await.map_err(io::Error::other)?;
        if length == 0 {
            return Ok(());
        }
        to.write_all(&buffer[..length]).await?;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// The two ends of a connection through a proxy.
    async fn connected() -> (Proxy, UnixStream, UnixStream, TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join(SOCKET)).unwrap();
        let proxy = Proxy::start(folder.path());
        let client = UnixStream::connect(proxy.folder().join(SOCKET)).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        while proxy.connections() == 0 {
            tokio::task::yield_now().await;
        }
        (proxy, client, server, folder)
    }

    async fn arrives(stream: &mut UnixStream) -> Option<u8> {
        tokio::time::timeout(Duration::from_secs(20), stream.read_u8()).await.expect("something happens").ok()
    }

    #[tokio::test]
    async fn both_directions_are_carried_and_cut() {
        let (proxy, mut client, mut server, _folder) = connected().await;
        client.write_u8(1).await.unwrap();
        assert_eq!(arrives(&mut server).await, Some(1));
        server.write_u8(2).await.unwrap();
        assert_eq!(arrives(&mut client).await, Some(2));
        assert_eq!(proxy.connections(), 1);
        proxy.cut_one(7);
        assert_eq!((arrives(&mut client).await, arrives(&mut server).await), (None, None));
        assert_eq!(proxy.connections(), 0);
    }

    #[tokio::test]
    async fn what_is_held_arrives_later() {
        let (proxy, mut client, mut server, _folder) = connected().await;
        let down = Held { up: false, down: true };
        for hold in [|proxy: &Proxy, held| proxy.hold(held), |proxy: &Proxy, held| proxy.hold_one(3, held)] {
            hold(&proxy, down);
            server.write_u8(2).await.unwrap();
            client.write_u8(1).await.unwrap();
            assert_eq!(arrives(&mut server).await, Some(1), "the other direction is free");
            assert!(client.try_read(&mut [0]).is_err(), "nothing has come back");
            hold(&proxy, Held::default());
            assert_eq!(arrives(&mut client).await, Some(2));
        }
    }

    #[tokio::test]
    async fn the_server_does_not_learn_of_a_half_open_connection() {
        let (proxy, mut client, mut server, _folder) = connected().await;
        proxy.half_open();
        assert_eq!(arrives(&mut client).await, None);
        server.write_u8(2).await.unwrap();
        assert!(server.try_read(&mut [0]).is_err(), "it is open still");
        proxy.cut_all();
        assert_eq!(arrives(&mut server).await, None);
    }
}
