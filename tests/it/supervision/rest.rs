//! What a worker process costs the database while there is nothing to do.

use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{UnixListener, UnixStream};

use super::role::Place;

/// How many statements a second a process may send.
const STATEMENTS_MAX_PER_S: f64 = 3.0;

/// The first message of a client that asks whether the server speaks TLS; the true first one follows it.
const TLS_REQUEST: [u8; 4] = 80_877_103_u32.to_be_bytes();

/// For how long they are counted.
const WATCHED: Duration = Duration::from_secs(30);

/// The statements that went through, each with when.
type Seen = Arc<Mutex<Vec<(Instant, String)>>>;

/// Carries connections to PostgreSQL and reads the statements on the way.
fn listen(server: PathBuf) -> (tempfile::TempDir, Seen) {
    let folder = tempfile::Builder::new().prefix("bn-count-").tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let listener = UnixListener::bind(folder.path().join(".s.PGSQL.5432")).unwrap();
    let seen = Seen::default();
    let shared = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = UnixStream::connect(server.join(".s.PGSQL.5432")).await.unwrap();
            let ((from_client, mut to_client), (mut from_server, to_server)) =
                (client.into_split(), server.into_split());
            tokio::spawn(async move { copy(&mut from_server, &mut to_client).await });
            tokio::spawn(count(from_client, to_server, Arc::clone(&shared)));
        }
    });
    (folder, seen)
}

/// A message is a letter, a length that counts itself, and its text; the first of a connection has no letter.
async fn count(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    seen: Seen,
) -> std::io::Result<()> {
    let (mut is_first, mut prepared, mut bound) = (true, HashMap::new(), String::new());
    loop {
        let letter = if is_first { 0 } else { from.read_u8().await? };
        let length = from.read_u32().await?;
        let mut text = vec![0; length as usize - 4];
        from.read_exact(&mut text).await?;
        let mut parts = text.split(|byte| *byte == 0).map(|part| String::from_utf8_lossy(part).into_owned());
        match letter {
            b'P' => drop(prepared.insert(parts.next(), parts.next().unwrap_or_default())),
            // The name of a portal comes first.
            b'B' => bound = prepared.get(&parts.nth(1)).cloned().unwrap_or_default(),
            b'E' => seen.lock().unwrap().push((Instant::now(), bound.clone())),
            b'Q' => seen.lock().unwrap().push((Instant::now(), parts.next().unwrap_or_default())),
            _ => {}
        }
        if !is_first {
            to.write_u8(letter).await?;
        }
        to.write_u32(length).await?;
        to.write_all(&text).await?;
        is_first &= text == TLS_REQUEST;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_at_rest_sends_few_statements() {
    let place = Place::make().await;
    let url = place.url();
    let (start, server) = url.split_once("?host=").unwrap();
    let (folder, seen) = listen(PathBuf::from(server));
    let mut command =
        place.command(&tests::binary::path(), &["worker", "--processes", "1", "--metrics-listen", "127.0.0.1:0"]);
    command.env("DATABASE_URL", format!("{start}?host={}", folder.path().display()));
    let role = place.start(&mut command);
    role.logged("schedules are declared", 1).await;
    role.logged("child is at work", 1).await;
    // A schedule that comes due meanwhile would be work.
    let paused = sqlx::query("update queue.schedule set is_paused = true");
    assert!(paused.execute(&place.pool).await.unwrap().rows_affected() > 0, "the schedules are declared by now");
    // What there is to do at the start, such as its schedules and the history's days, is done by then.
    tokio::time::sleep(Duration::from_secs(10)).await;
    let began = Instant::now();
    tokio::time::sleep(WATCHED).await;
    let seen = seen.lock().unwrap().split_off(0);
    let counted: Vec<_> = seen.into_iter().filter(|(at, _)| *at >= began).collect();
    let rate = counted.len() as f64 / began.elapsed().as_secs_f64();
    let first_lines: Vec<String> = counted
        .iter()
        .map(|(at, text)| format!("{:?} {}", at.duration_since(began), text.trim().lines().next().unwrap_or_default()))
        .collect();
    eprintln!("{rate:.2} statements a second");
    assert!(counted.len() > 10, "it does look for work");
    assert!(rate <= STATEMENTS_MAX_PER_S, "{rate:.2} statements a second: {first_lines:#?}");
}
