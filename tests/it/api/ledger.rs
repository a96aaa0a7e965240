//! The log over HTTP: what C2SP tools read, who may read what, and what is refused by name.

use jobs::{LEDGER_QUEUE, State};
use ledger::checkpoint::note::Body;
use ledger::checkpoint::{self, cosigned, sign_head};
use ledger::keyring::Keyring;
use ledger::keys::SigningKey;
use ledger::leaf::Leaf;
use ledger::merkle::{leaf_hash, proof};
use ledger::posting::post;
use ledger::receipt::{self, Receipt};
use ledger::witness::cosignature::CosignerKey;
use ledger::{AccountId, Book};
use queue::testing::drain;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::Connection;
use uuid::Uuid;

use super::harness::{Api, Caller};
use crate::ledger_kit;

fn key() -> SigningKey {
    SigningKey::from_seed("test.example/main", &[5; 32]).unwrap()
}

async fn sign(api: &Api) {
    sign_head(&mut api.pool.acquire().await.unwrap(), Book::MAIN, &key()).await.unwrap();
}

/// Posts so many transfers between two accounts of the book's own, and signs for them.
async fn fill(api: &Api, accounts: (AccountId, AccountId), count: usize) {
    let mut conn = api.pool.acquire().await.unwrap();
    let mut tx = conn.begin().await.unwrap();
    let postings: Vec<_> = (0..count).map(|_| ledger_kit::transfer(accounts.0, accounts.1, 1)).collect();
    post(&mut tx, Book::MAIN, &postings).await.unwrap();
    tx.commit().await.unwrap();
    sign(api).await;
}

/// Two accounts of which the first may be overdrawn.
async fn accounts(api: &Api) -> (AccountId, AccountId) {
    let (ada, _) = api.customer().await;
    let cash: Uuid = sqlx::query_scalar("select id from ledger.account where overdraft and currency = 'GBP'")
        .fetch_one(&api.pool)
        .await
        .unwrap();
    (AccountId(cash), ada.wallet)
}

async fn leaves(api: &Api) -> Vec<Vec<u8>> {
    sqlx::query_scalar("select leaf from ledger.transaction order by seq").fetch_all(&api.pool).await.unwrap()
}

/// The bytes of a tile or bundle, and whether it may be kept for ever.
async fn bytes(caller: &Caller, path: &str) -> (Vec<u8>, bool) {
    let answer = caller.get(&format!("/api/v1/ledger/tile/{path}")).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    assert_eq!(answer.header("content-type"), Some("application/octet-stream"));
    assert_eq!(answer.header("vary"), Some("Authorization"));
    let is_kept = answer.header("cache-control") == Some("private, max-age=31536000, immutable");
    (caller.raw(&format!("/api/v1/ledger/tile/{path}")).await, is_kept)
}

async fn refused(caller: &Caller, path: &str, expected: (u16, &str)) {
    let (status, code, _) = caller.get(&format!("/api/v1/ledger/{path}")).await.refusal();
    assert_eq!((status, code.as_str()), expected, "{path}");
}

#[tokio::test]
async fn the_log_is_read_by_its_paths() {
    let api = Api::start().await;
    let accounts = accounts(&api).await;
    fill(&api, accounts, 600).await;
    let leaves = leaves(&api).await;
    let hashes: Vec<[u8; 32]> = leaves.iter().map(|leaf| leaf_hash(leaf)).collect();
    let (_, user) = api.customer().await;
    for (path, expected) in [
        ("0/000", hashes[..256].concat()),
        ("0/001", hashes[256..512].concat()),
        ("0/001.p/255", hashes[256..511].concat()),
        ("0/002.p/88", hashes[512..].concat()),
        ("0/002.p/1", hashes[512].to_vec()),
    ] {
        assert_eq!(bytes(&user, path).await, (expected, true), "{path}");
    }
    let (roots, _) = bytes(&user, "1/000.p/2").await;
    assert_eq!(roots.len(), 64);
    for (path, part) in [("entries/000", &leaves[..256]), ("entries/002.p/88", &leaves[512..])] {
        let bundle: Vec<u8> =
            part.iter().flat_map(|leaf| [&(leaf.len() as u16).to_be_bytes(), leaf.as_slice()].concat()).collect();
        assert_eq!(bytes(&api.admin, path).await, (bundle, true), "{path}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_refused_by_name() {
    let api = Api::start().await;
    let accounts = accounts(&api).await;
    for path in ["checkpoint", "tile/0/000", "proofs/inclusion?index=0", "proofs/consistency?old=1"] {
        refused(&api.admin, path, (404, "no_checkpoint")).await;
    }
    fill(&api, accounts, 300).await;
    for path in ["tile/0/001", "tile/0/001.p/45", "tile/1/000", "tile/6/000.p/1", "tile/63/000.p/1", "tile/entries/001"]
    {
        refused(&api.admin, path, (404, "no_such_tile")).await;
    }
    for path in [
        "tile/0/1",
        "tile/0",
        "tile/64/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/entries",
        "tile/a/000",
        "tile/-1/000",
        "tile/0/x000/000",
        "tile/0/000/",
        "tile/0/%30%30%30",
    ] {
        refused(&api.admin, path, (400, "malformed_path")).await;
    }
    for path in [
        "proofs/inclusion?index=300",
        "proofs/inclusion?index=0&size=301",
        "proofs/consistency?old=301",
        "proofs/consistency?old=1&size=301",
    ] {
        let answer = api.admin.get(&format!("/api/v1/ledger/{path}")).await;
        assert_eq!((answer.refusal().0, answer.refusal().1.as_str()), (409, "not_signed_yet"), "{path}");
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    for path in [
        "proofs/inclusion",
        "proofs/inclusion?index=-1",
        "proofs/inclusion?index=5&size=5",
        "proofs/inclusion?index=0&size=0",
        "proofs/inclusion?index=99999999999999999999",
        "proofs/consistency?old=0",
        "proofs/consistency?old=9&size=8",
        "proofs/consistency?old=1&from=2",
        "receipts/1",
    ] {
        refused(&api.admin, path, (422, "validation_failed")).await;
    }
    refused(&api.admin, &format!("receipts/{}", Uuid::now_v7()), (404, "not_found")).await;
}

#[tokio::test]
async fn entries_are_for_staff_and_nothing_is_for_strangers() {
    let api = Api::start().await;
    let accounts = accounts(&api).await;
    fill(&api, accounts, 256).await;
    let (_, user) = api.customer().await;
    refused(&user, "tile/entries/000", (403, "forbidden")).await;
    refused(&user, "tile/entries/000.p/3", (403, "forbidden")).await;
    assert_eq!(api.operator().await.get("/api/v1/ledger/tile/entries/000").await.status, 200);
    for path in ["checkpoint", "tile/0/000", "tile/entries/000", "proofs/inclusion?index=0", "proofs/consistency?old=1"]
    {
        refused(&api.nobody(), path, (401, "unauthorized")).await;
    }
    let accept = [("accept", "application/octet-stream")];
    assert_eq!(user.send(Method::GET, "/api/v1/ledger/tile/0/000", &accept, Vec::new()).await.status, 200);
}

#[tokio::test]
async fn the_checkpoint_is_the_last_one_and_known_by_its_tag() {
    let api = Api::start().await;
    let accounts = accounts(&api).await;
    fill(&api, accounts, 3).await;
    let path = "/api/v1/ledger/checkpoint";
    let first = api.admin.get(path).await;
    assert_eq!(first.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(first.header("cache-control"), Some("private, max-age=1"));
    assert!(ledger::checkpoint::note::is_signed(&first.text, &[key().verifier()]));
    assert_eq!(Body::read(&first.text).unwrap().size, 3);
    let tag = [("if-none-match", first.header("etag").unwrap())];
    let same = api.admin.send(Method::GET, path, &tag, Vec::new()).await;
    assert_eq!((same.status.as_u16(), same.header("cache-control")), (304, Some("private, max-age=1")));
    fill(&api, accounts, 1).await;
    let second = api.admin.send(Method::GET, path, &tag, Vec::new()).await;
    assert_eq!((second.status.as_u16(), Body::read(&second.text).unwrap().size), (200, 4));
}

#[tokio::test]
async fn the_witnessed_checkpoint_is_the_last_one_that_has_cosignatures() {
    let api = Api::start().await;
    let accounts = accounts(&api).await;
    fill(&api, accounts, 3).await;
    refused(&api.nobody(), "checkpoint/witnessed", (401, "unauthorized")).await;
    refused(&api.admin, "checkpoint/witnessed", (404, "not_witnessed_yet")).await;
    let mut conn = api.pool.acquire().await.unwrap();
    let signed = checkpoint::latest(&mut conn, Book::MAIN).await.unwrap().unwrap();
    let body = Body::read(&signed.note).unwrap();
    let path = "/api/v1/ledger/checkpoint/witnessed";
    let (mut note, mut tag) = (signed.note.clone(), String::new());
    // The second witness comes later: the answer is another one, and says so.
    for seed in [1, 2] {
        let witness = CosignerKey::from_seed(&format!("witness.example/w{seed}"), &[seed; 32]).unwrap();
        let line = witness.cosign(&body, 1_700_000_000);
        cosigned::keep(&mut conn, Book::MAIN, &signed, (&witness.verifier(), &line)).await.unwrap();
        note.push_str(&line);
        let answer = api.admin.send(Method::GET, path, &[("if-none-match", &tag)], Vec::new()).await;
        assert_eq!((answer.status.as_u16(), &answer.text), (200, &note));
        assert_eq!(answer.header("cache-control"), Some("private, max-age=1"));
        tag = answer.header("etag").unwrap().to_owned();
    }
    fill(&api, accounts, 1).await;
    assert_eq!(Body::read(&api.admin.get("/api/v1/ledger/checkpoint").await.text).unwrap().size, 4);
    let (_, user) = api.customer().await;
    let same = user.send(Method::GET, path, &[("if-none-match", &tag)], Vec::new()).await;
    assert_eq!(same.status.as_u16(), 304, "nobody has witnessed the last one");
}

#[tokio::test]
async fn a_witnessed_receipt_is_under_the_last_checkpoint_that_enough_witnesses_signed() {
    let api = Api::start().await;
    let accounts = accounts(&api).await;
    fill(&api, accounts, 3).await;
    let leaves = leaves(&api).await;
    let ids: Vec<Uuid> =
        sqlx::query_scalar("select id from ledger.transaction order by seq").fetch_all(&api.pool).await.unwrap();
    let path = |id: Uuid, witnesses: &str| format!("receipts/{id}/witnessed{witnesses}");
    refused(&api.admin, &path(ids[0], ""), (404, "not_witnessed_yet")).await;
    refused(&api.admin, &path(Uuid::now_v7(), ""), (404, "not_found")).await;
    let (_, stranger) = api.customer().await;
    refused(&stranger, &path(ids[0], ""), (404, "not_found")).await;
    for wrong in ["?witnesses=0", "?witnesses=101", "?witnesses=two"] {
        refused(&api.admin, &path(ids[0], wrong), (422, "validation_failed")).await;
    }
    let mut conn = api.pool.acquire().await.unwrap();
    let witnesses =
        [1, 2].map(|seed| CosignerKey::from_seed(&format!("witness.example/w{seed}"), &[seed; 32]).unwrap());
    let keys = witnesses.each_ref().map(CosignerKey::verifier);
    // Both sign for three leaves, and one for four.
    let mut sizes = Vec::new();
    for signers in [&witnesses[..], &witnesses[..1]] {
        let signed = checkpoint::latest(&mut conn, Book::MAIN).await.unwrap().unwrap();
        let body = Body::read(&signed.note).unwrap();
        for witness in signers {
            let line = witness.cosign(&body, 1_700_000_000);
            cosigned::keep(&mut conn, Book::MAIN, &signed, (&witness.verifier(), &line)).await.unwrap();
        }
        sizes.push(body.size);
        fill(&api, accounts, 1).await;
    }
    assert_eq!(sizes, [3, 4]);
    for (witnesses, size, signed) in [("", 4, 1), ("?witnesses=1", 4, 1), ("?witnesses=2", 3, 2)] {
        let answer = api.admin.get(&format!("/api/v1/ledger/{}", path(ids[1], witnesses))).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let receipt = Receipt::parse(&answer.text).unwrap();
        let proven = receipt.check(&leaves[1], &Keyring::new(&[key().verifier()], Vec::new())).unwrap();
        assert_eq!((proven.index, proven.size), (1, size), "{witnesses}");
        assert_eq!(receipt.witnesses(&keys).len(), signed, "{witnesses}");
        let last = api.admin.get(&format!("/api/v1/ledger/checkpoint/witnessed{witnesses}")).await.text;
        assert_eq!(receipt.checkpoint, last, "the same that is shown by itself");
    }
    refused(&api.admin, &path(ids[1], "?witnesses=3"), (404, "not_witnessed_yet")).await;
    refused(&api.admin, "checkpoint/witnessed?witnesses=3", (404, "not_witnessed_yet")).await;
    let fourth: Uuid =
        sqlx::query_scalar("select id from ledger.transaction where seq = 3").fetch_one(&mut *conn).await.unwrap();
    refused(&api.admin, &path(fourth, "?witnesses=2"), (404, "not_witnessed_yet")).await;
}

#[tokio::test]
async fn proofs_lead_to_the_roots_of_the_checkpoints() {
    let api = Api::start().await;
    let accounts = accounts(&api).await;
    fill(&api, accounts, 300).await;
    let first = Body::read(&api.admin.get("/api/v1/ledger/checkpoint").await.text).unwrap();
    fill(&api, accounts, 400).await;
    let second = Body::read(&api.admin.get("/api/v1/ledger/checkpoint").await.text).unwrap();
    let hash = |value: &Value| -> [u8; 32] {
        use base64::Engine;
        base64::prelude::BASE64_STANDARD.decode(value.as_str().unwrap()).unwrap().try_into().unwrap()
    };
    let hashes = |proof: &Value| proof["hashes"].as_array().unwrap().iter().map(hash).collect::<Vec<_>>();
    let (_, user) = api.customer().await;
    let leaves = leaves(&api).await;
    for (index, size, root) in [(0, 700, second.root), (299, 300, first.root), (699, 700, second.root)] {
        let proof = user.get(&format!("/api/v1/ledger/proofs/inclusion?index={index}&size={size}")).await.json();
        assert_eq!((hash(&proof["root"]), hash(&proof["leaf_hash"])), (root, leaf_hash(&leaves[index as usize])));
        assert!(proof::check_inclusion(&hash(&proof["leaf_hash"]), index, size, &hashes(&proof), &root));
    }
    let proof = user.get("/api/v1/ledger/proofs/consistency?old=300").await.json();
    assert_eq!((hash(&proof["old_root"]), hash(&proof["root"])), (first.root, second.root));
    assert!(proof::check_consistency(300, &first.root, 700, &second.root, &hashes(&proof)));
}

#[tokio::test]
async fn a_receipt_is_for_whoever_may_see_the_transaction_and_proves_it() {
    let api = Api::start().await;
    let ((ada, caller), (bob, receiver), (_, other)) =
        (api.customer().await, api.customer().await, api.customer().await);
    let registry = jobs::registry(State::of_key(key()));
    let post = async |who: &Caller, body: Value| {
        let accepted = who.post("/api/v1/transactions", &body).await;
        assert_eq!(accepted.status, 202, "{}", accepted.text);
        accepted.json()["id"].as_str().unwrap().to_owned()
    };
    let pounds = |amount: &str| json!({ "amount": amount, "currency": "GBP" });
    post(&api.admin, json!({ "type": "deposit", "to": ada.wallet.0, "amount": pounds("5") })).await;
    drain(&api.pool, &registry, LEDGER_QUEUE).await;
    let transfer = |amount: &str| json!({ "type": "transfer", "from": ada.wallet.0, "to": bob.wallet.0, "amount": pounds(amount) });
    let (good, too_much) = (post(&caller, transfer("4")).await, post(&caller, transfer("2")).await);
    let path = |id: &str| format!("receipts/{id}");
    refused(&caller, &path(&good), (409, "not_recorded")).await;
    drain(&api.pool, &registry, LEDGER_QUEUE).await;
    refused(&caller, &path(&good), (409, "not_signed_yet")).await;
    refused(&caller, &path(&too_much), (409, "not_recorded")).await;
    sign(&api).await;
    for who in [&caller, &receiver, &api.admin, &api.operator().await] {
        let receipt = who.get(&format!("/api/v1/ledger/receipts/{good}")).await;
        assert_eq!(receipt.status, 200, "{}", receipt.text);
        let leaf = who.raw(&format!("/api/v1/ledger/receipts/{good}/leaf")).await;
        let ring = Keyring::new(&[key().verifier()], Vec::new());
        assert_eq!(receipt::check(&receipt.text, &leaf, &ring).unwrap().index, 1);
        assert_eq!(Leaf::decode(&leaf).unwrap().id.0.to_string(), good);
    }
    refused(&other, &path(&good), (404, "not_found")).await;
    refused(&other, &format!("receipts/{good}/leaf"), (404, "not_found")).await;
    refused(&api.nobody(), &path(&good), (401, "unauthorized")).await;
}
