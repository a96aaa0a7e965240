//! Receipts of made-up trees: what they prove, what they refuse, how long they are.

use super::*;
use crate::keys::SigningKey;
use crate::merkle::frontier::Frontier;
use crate::merkle::node_hash;
use crate::merkle::proof::inclusion;
use crate::witness::cosignature::CosignerKey;

const NAME: &str = "bitnexus.example/main";

fn key(name: &str, seed: u8) -> SigningKey {
    SigningKey::from_seed(name, &[seed; 32]).unwrap()
}

fn ring(key: &SigningKey) -> Keyring {
    Keyring::new(&[key.verifier()], Vec::new())
}

/// The receipt of the leaf `b"1"` of three.
fn receipt(key: &SigningKey) -> Receipt {
    let leaves = [b"0", b"1", b"2"].map(|leaf| leaf_hash(leaf));
    let mut frontier = Frontier::empty();
    leaves.iter().for_each(|leaf| frontier.push(*leaf, |_| ()));
    let body = Body { origin: key.name().to_owned(), size: 3, root: frontier.root() };
    Receipt { index: 1, hashes: vec![leaves[0], leaves[2]], checkpoint: body.sign(key) }
}

#[test]
fn a_receipt_is_the_text_of_the_format_and_proves_its_leaf() {
    let key = key(NAME, 1);
    let text = receipt(&key).to_text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..2], ["c2sp.org/tlog-proof@v1", "index 1"]);
    assert_eq!((lines[4], lines[5], lines[6], lines[8]), ("", NAME, "3", ""));
    let proven = check(&text, b"1", &ring(&key)).unwrap();
    assert_eq!((proven.origin.as_str(), proven.index, proven.size), (NAME, 1, 3));
    let extra = text.replace("\nindex", "\nextra aGVsbG8=\nindex");
    assert_eq!(check(&extra, b"1", &ring(&key)), Ok(proven));
}

#[test]
fn a_receipt_that_was_changed_proves_nothing() {
    let key = key(NAME, 1);
    let (good, text) = (receipt(&key), receipt(&key).to_text());
    let of = |receipt: Receipt| check(&receipt.to_text(), b"1", &ring(&key));
    assert_eq!(check(&text, b"2", &ring(&key)), Err(ReceiptError::NotIncluded));
    assert_eq!(of(Receipt { index: 0, ..good.clone() }), Err(ReceiptError::NotIncluded));
    assert_eq!(of(Receipt { index: 3, ..good.clone() }), Err(ReceiptError::NotIncluded));
    assert_eq!(of(Receipt { hashes: vec![good.hashes[0]], ..good.clone() }), Err(ReceiptError::NotIncluded));
    let mut hashes = good.hashes.clone();
    hashes[1][31] ^= 1;
    assert_eq!(of(Receipt { hashes, ..good.clone() }), Err(ReceiptError::NotIncluded));
    assert_eq!(check(&text.replace("\n3\n", "\n4\n"), b"1", &ring(&key)), Err(ReceiptError::Signature));
    let other = self::key(NAME, 2);
    assert_eq!(check(&text, b"1", &ring(&other)), Err(ReceiptError::Signature));
    assert_eq!(check(&receipt(&other).to_text(), b"1", &ring(&key)), Err(ReceiptError::Signature));
}

#[test]
fn a_receipt_says_which_witnesses_signed_its_checkpoint() {
    let key = key(NAME, 1);
    let plain = receipt(&key);
    let body = Body::read(&plain.checkpoint).unwrap();
    let [one, two, three] = [1, 2, 3].map(|seed| CosignerKey::from_seed(&format!("w{seed}"), &[seed; 32]).unwrap());
    let other = Body { size: 4, ..body.clone() };
    let lines = [one.cosign(&body, 7), two.cosign(&other, 8), three.cosign(&body, 9)].concat();
    let witnessed = Receipt { checkpoint: format!("{}{lines}", plain.checkpoint), ..plain.clone() };
    let read = Receipt::parse(&witnessed.to_text()).unwrap();
    assert_eq!(
        read.check(b"1", &ring(&key)),
        plain.check(b"1", &ring(&key)),
        "they are beside the log's own signature"
    );
    let keys = [&one, &two, &three].map(CosignerKey::verifier);
    assert_eq!(read.witnesses(&keys), [(&keys[0], 7), (&keys[2], 9)], "the second signed for another checkpoint");
    assert_eq!(read.witnesses(&keys[1..2]), []);
    assert_eq!(plain.witnesses(&keys), []);
}

#[test]
fn the_key_of_one_log_does_not_sign_for_another() {
    let key = key(NAME, 1);
    let signed_as = |origin: &str| {
        let body = Body { origin: origin.to_owned(), ..Body::read(&receipt(&key).checkpoint).unwrap() };
        check(&Receipt { checkpoint: body.sign(&key), ..receipt(&key) }.to_text(), b"1", &ring(&key)).is_ok()
    };
    assert!(signed_as(NAME) && signed_as(&format!("{NAME}/3/2")));
    assert!(!signed_as("another.example/log") && !signed_as(&format!("{NAME}x")) && !signed_as(&format!("{NAME}/x")));
}

#[test]
fn what_is_not_a_receipt_is_refused_by_what_is_wrong() {
    let text = receipt(&key(NAME, 1)).to_text();
    let hash = text.lines().nth(2).unwrap();
    let rows = [
        (String::new(), "end of the proof"),
        (text.replace("@v1", "@v2"), "first line"),
        (text.replace("index 1", "index 01"), "index"),
        (text.replace("index 1", "index -1"), "index"),
        (text.replace("index 1\n", ""), "index"),
        (text.replace("index", "extra %\nindex"), "extra data"),
        (text.replace(hash, "AA=="), "hash"),
        (text.replace(&format!("{hash}\n"), &format!("{hash}\n").repeat(63)), "hash"),
        (text.replace("\n3\n", "\n03\n"), "checkpoint"),
    ];
    for (text, what) in rows {
        assert_eq!(Receipt::parse(&text), Err(ReceiptError::Malformed(what)), "{text}");
    }
}

#[test]
fn a_receipt_is_short_in_a_log_of_a_thousand_million_leaves() {
    let size = 1_000_000_000;
    let longest = [0, size / 3, 536_870_911, size - 1].into_iter().max_by_key(|index| inclusion(*index, size).len());
    let index = longest.unwrap();
    let hashes = vec![node_hash(&[255; 32], &[254; 32]); inclusion(index, size).len()];
    assert_eq!(hashes.len(), 30);
    // In an overlap there are two signatures.
    let name = "x".repeat(100);
    let body = Body { origin: name.clone(), size, root: [255; 32] };
    let checkpoint = body.sign_by(&[key(&name, 1), key(&name, 2)]);
    let text = Receipt { index, hashes, checkpoint }.to_text();
    assert!(text.len() <= BYTES_MAX, "{} bytes", text.len());
}
