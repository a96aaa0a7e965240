//! The encoding is the documented one, and the only one.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::merkle::frontier::Frontier;
use crate::merkle::leaf_hash;

/// The published test vectors.
const VECTORS: &str = include_str!("../../../docs/ledger-vectors.json");

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn uuid(value: &Value) -> Uuid {
    value.as_str().unwrap().parse().unwrap()
}

fn time(value: &Value) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(value.as_i64().unwrap()).unwrap()
}

fn act(vector: &Value) -> Act {
    let other = |name: &str| vector.get(name).filter(|id| !id.is_null()).map(|id| TransactionId(uuid(id)));
    match (other("reverses"), other("reverses_part"), other("resolves"), vector.get("kind").and_then(Value::as_str)) {
        (Some(original), ..) => Act::Reverse(original),
        (_, Some(original), ..) => Act::ReversePart(original),
        (.., Some(hold), Some("capture")) => Act::Capture(hold),
        (.., Some(hold), Some("void")) => Act::Void(hold),
        (.., Some(hold), Some("expiry")) => Act::Expire(hold),
        (.., Some("hold")) => Act::Hold { expires_at: vector.get("expires_at_micros").map(time) },
        (.., Some("up_to")) => Act::PostUpTo { asked: vector["asked"].as_str().unwrap().parse().unwrap() },
        (.., Some("closing")) => Act::Close,
        _ => Act::Post,
    }
}

/// The transaction that a vector describes.
fn leaf(vector: &Value) -> Leaf {
    let leg = |leg: &Value| LeafLeg {
        account: AccountId(uuid(&leg["account"])),
        currency: Currency::parse(leg["currency"].as_str().unwrap()).unwrap(),
        amount: leg["amount"].as_str().unwrap().parse().unwrap(),
    };
    let hash = vector["metadata_hash"].as_str().unwrap();
    let byte = |n: usize| u8::from_str_radix(&hash[2 * n..][..2], 16).unwrap();
    Leaf {
        book: vector["book"].as_i64().unwrap() as i32,
        seq: vector["seq"].as_i64().unwrap(),
        id: TransactionId(uuid(&vector["id"])),
        recorded_at: time(&vector["recorded_at_micros"]),
        effective_at: time(&vector["effective_at_micros"]),
        code: vector["code"].as_u64().unwrap() as u16,
        act: act(vector),
        metadata_hash: std::array::from_fn(byte),
        legs: vector["legs"].as_array().unwrap().iter().map(leg).collect(),
    }
}

#[test]
fn the_published_vectors_hold() {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let mut tree = Frontier::empty();
    for vector in vectors["leaves"].as_array().unwrap() {
        let bytes = leaf(&vector["transaction"]).encode();
        assert_eq!(hex(&bytes), vector["leaf"].as_str().unwrap());
        assert_eq!(hex(&leaf_hash(&bytes)), vector["leaf_hash"].as_str().unwrap());
        tree.push(leaf_hash(&bytes), |_| ());
        assert_eq!(hex(&tree.root()), vector["root"].as_str().unwrap());
    }
    assert_eq!(tree.size(), 13);
}

fn legs() -> impl Strategy<Value = Vec<LeafLeg>> {
    let amounts = prop_oneof![any::<i64>(), -300i64..300, Just(i64::MIN), Just(i64::MAX)];
    let leg = (any::<u128>(), any::<prop::sample::Index>(), amounts).prop_map(|(account, index, amount)| {
        let currencies: Vec<Currency> = Currency::all().collect();
        LeafLeg { account: AccountId(Uuid::from_u128(account)), currency: *index.get(&currencies), amount }
    });
    prop::collection::vec(leg, 1..12)
}

fn acts() -> impl Strategy<Value = Act> {
    let other = || any::<u128>().prop_map(|id| TransactionId(Uuid::from_u128(id)));
    let expiry = prop::option::of(-60_000_000_000_000_000i64..250_000_000_000_000_000);
    let expiry = expiry.prop_map(|micros| micros.map(|micros| DateTime::from_timestamp_micros(micros).unwrap()));
    prop_oneof![
        Just(Act::Post),
        any::<i64>().prop_map(|asked| Act::PostUpTo { asked }),
        other().prop_map(Act::Reverse),
        other().prop_map(Act::ReversePart),
        expiry.prop_map(|expires_at| Act::Hold { expires_at }),
        other().prop_map(Act::Capture),
        other().prop_map(Act::Void),
        other().prop_map(Act::Expire),
        Just(Act::Close),
    ]
}

fn leaves() -> impl Strategy<Value = Leaf> {
    let numbers = (any::<i32>(), 0..=i64::MAX, any::<u128>(), any::<u16>(), acts());
    let times =
        (-60_000_000_000_000_000i64..250_000_000_000_000_000, -60_000_000_000_000_000i64..250_000_000_000_000_000);
    (numbers, times, any::<[u8; 32]>(), legs()).prop_map(
        |((book, seq, id, code, act), times, metadata_hash, mut legs)| {
            let time = |micros| DateTime::from_timestamp_micros(micros).unwrap();
            let (recorded_at, effective_at) = (time(times.0), time(times.1));
            let id = TransactionId(Uuid::from_u128(id));
            match act {
                Act::Void(_) | Act::Expire(_) => legs.clear(),
                Act::Close => legs.truncate(1),
                _ => (),
            }
            Leaf { book, seq, id, recorded_at, effective_at, code, act, metadata_hash, legs }
        },
    )
}

proptest! {
    #[test]
    fn a_leaf_reads_back(leaf in leaves()) {
        prop_assert_eq!(Leaf::decode(&leaf.encode()), Ok(leaf));
    }

    /// Whatever bytes are read as a leaf are the ones that this leaf is written as.
    #[test]
    fn there_is_one_encoding(leaf in leaves(), place in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = leaf.encode();
        let place = place.index(bytes.len());
        bytes[place] = byte;
        if let Ok(leaf) = Leaf::decode(&bytes) {
            prop_assert_eq!(leaf.encode(), bytes);
        }
    }

    #[test]
    fn a_leaf_that_is_cut_or_goes_on_is_refused(leaf in leaves(), place in any::<prop::sample::Index>()) {
        let bytes = leaf.encode();
        prop_assert_eq!(Leaf::decode(&bytes[..place.index(bytes.len())]), Err(LeafError::CutOff));
        prop_assert_eq!(Leaf::decode(&[bytes, vec![0]].concat()), Err(LeafError::TooLong));
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Leaf::decode(&[&MAGIC, bytes.as_slice()].concat());
    }
}

#[test]
fn each_field_that_is_not_canonical_is_named() {
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let bytes = leaf(&vectors["leaves"][0]["transaction"]).encode();
    let with = |place: usize, byte: u8| {
        let mut bytes = bytes.clone();
        bytes[place] = byte;
        Leaf::decode(&bytes)
    };
    assert_eq!(with(3, 2), Err(LeafError::Magic));
    assert_eq!(with(4, 0), Err(LeafError::Field("kind")));
    assert_eq!(with(4, 8), Err(LeafError::Field("kind")));
    assert_eq!(with(4, 3), Err(LeafError::Field("relation")));
    assert_eq!(with(9, 0x80), Err(LeafError::Field("seq")));
    assert_eq!(with(33, 0x7f), Err(LeafError::Field("recorded_at")));
    assert_eq!(with(41, 0x7f), Err(LeafError::Field("effective_at")));
    assert_eq!(with(51, 4), Err(LeafError::Field("relation")));
    assert_eq!(with(102, b'g'), Err(LeafError::Field("currency")));
    assert_eq!(with(105, 9), Err(LeafError::Field("amount")));
    // The same amount with a byte that it does not need.
    let longer = [&bytes[..105], &[bytes[105] + 1, 0xff], &bytes[106..]].concat();
    assert_eq!(Leaf::decode(&longer), Err(LeafError::Field("amount")));
}
