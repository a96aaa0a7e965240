//! Where the service is not led, however the address is spelt, resolved or redirected; and whose certificates it believes.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use domain::webhooks::reach::Reach;
use jobs::webhooks::client::{Client, SendError, certificates};
use tests::receiver::{Receiver, answer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::kit::{Kit, loopback};

/// A server that speaks TLS with the certificate and key that it is given, prints its port and takes everything.
const TLS_SERVER: &str = r#"
import http.server, ssl, sys
class Taking(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.send_response(204)
        self.end_headers()
    def log_message(self, *_):
        pass
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
server = http.server.HTTPServer(("127.0.0.1", 0), Taking)
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
"#;

/// It ends with the test, however that ends.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn post(client: &Client, url: &str) -> Result<u16, SendError> {
    client.post(url, &[], "{}".to_owned()).await.map(|answer| answer.status)
}

#[tokio::test]
async fn an_address_of_our_own_network_is_never_connected_to() {
    let mut receiver = Receiver::start().await;
    let port = receiver.address.port();
    let (public, allows_other) =
        (Client::default(), Client::new(Reach::with(vec!["10.0.0.0/8".parse().unwrap()]), Vec::new()));
    let hosts = [
        "127.0.0.1",
        "localhost",
        "LOCALHOST.",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::]",
        "%6c%6f%63alhost",
        "①②⑦.0.0.1",
        "10.0.0.1.nip.invalid",
    ];
    for host in hosts {
        for (client, scheme) in
            [(&public, "https"), (&public, "http"), (&allows_other, "https"), (&allows_other, "http")]
        {
            let refused = post(client, &format!("{scheme}://{host}:{port}/")).await;
            let is_refused = matches!(refused, Err(SendError::NotAllowed(_) | SendError::Unresolved));
            assert!(is_refused, "{scheme}://{host}: {refused:?}");
        }
    }
    assert!(receiver.unseen().is_empty());
    // The same name is reached where it is allowed: it is the addresses that decide.
    let allowed = Client::new(loopback(), Vec::new());
    assert_eq!(post(&allowed, &format!("http://localhost:{port}/")).await, Ok(204));
    receiver.next().await;
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let kit = Kit::start().await;
    let (user, mut first, mut second) = (kit.user().await, Receiver::start().await, Receiver::start().await);
    let endpoint = kit.endpoint(&user, &first, &[]).await.0;
    for status in [301, 302, 303, 307, 308] {
        first.says(answer(status, &format!("Location: {}\r\n", second.url()), ""));
        kit.happen("wallet.opened", &[user.user_id]).await;
        kit.deliver().await;
        first.next().await;
    }
    let told = kit.deliveries(&user, &endpoint).await;
    let error = told[0].last_error.as_deref();
    assert_eq!(error, Some("the endpoint redirects (301), which is not followed"));
    assert!(told.iter().all(|delivery| delivery.status == "pending"));
    assert!(second.unseen().is_empty());
}

#[tokio::test]
async fn a_certificate_is_believed_if_its_authority_is() {
    let folder = tempfile::tempdir().unwrap();
    let (key, certificate) = (folder.path().join("key.pem"), folder.path().join("certificate.pem"));
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]);
    openssl.args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]);
    openssl.args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"]).arg(&key);
    if !openssl.arg("-out").arg(&certificate).output().is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: this machine has no openssl");
        return;
    }
    let mut server = Command::new("python3");
    server.args(["-c", TLS_SERVER]).args([&certificate, &key]).stdout(Stdio::piped());
    let Ok(mut server) = server.spawn().map(Server) else {
        eprintln!("skipped: this machine has no python3");
        return;
    };
    let mut line = String::new();
    BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let free: u16 = line.trim().parse().unwrap();
    let (trusting, others) =
        (Client::new(loopback(), certificates(&certificate).unwrap()), Client::new(loopback(), vec![]));
    assert_eq!(post(&trusting, &format!("https://localhost:{free}/")).await, Ok(204));
    let refused = post(&others, &format!("https://localhost:{free}/")).await;
    assert!(matches!(&refused, Err(SendError::Tls(why)) if why.contains("UnknownIssuer")), "{refused:?}");
    let refused = post(&trusting, &format!("https://127.0.0.1:{free}/")).await;
    assert!(matches!(&refused, Err(SendError::Tls(why)) if why.contains("not valid for name")), "{refused:?}");
    assert!(certificates(&key).is_err());
}

#[tokio::test]
async fn an_answer_that_never_ends_is_cut() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let sent = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 4_096]).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        while stream.write_all(b"400\r\n").await.is_ok() && stream.write_all(&[b'x'; 1_024]).await.is_ok() {
            let _ = stream.write_all(b"\r\n").await;
            count.fetch_add(1_024, std::sync::atomic::Ordering::Relaxed);
        }
    });
    let client = Client::new(loopback(), Vec::new());
    let answer = client.post(&format!("http://{address}/"), &[], String::new()).await.unwrap();
    assert_eq!((answer.status, answer.body.len()), (200, 4_096));
}
