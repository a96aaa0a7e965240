//! Where the service is not led, however the address is spelt, resolved or redirected; and whose certificates it believes.

use std::sync::Arc;

use domain::webhooks::reach::Reach;
use jobs::webhooks::client::{Client, SendError, certificates};
use tests::certificate;
use tests::receiver::{Receiver, answer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::kit::{Kit, loopback};

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
    if !certificate::make(folder.path(), "localhost") {
        eprintln!("skipped: this machine has no openssl");
        return;
    }
    let receiver = Receiver::start().await;
    receiver.says(answer(204, "", ""));
    let url = certificate::front(folder.path(), &format!("http://{}", receiver.address)).await;
    let (certificate, key) = (folder.path().join("certificate.pem"), folder.path().join("key.pem"));
    let (trusting, others) =
        (Client::new(loopback(), certificates(&certificate).unwrap()), Client::new(loopback(), vec![]));
    assert_eq!(post(&trusting, &url).await, Ok(204));
    let refused = post(&others, &url).await;
    assert!(matches!(&refused, Err(SendError::Tls(why)) if why.contains("UnknownIssuer")), "{refused:?}");
    let refused = post(&trusting, &url.replace("localhost", "127.0.0.1")).await;
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
