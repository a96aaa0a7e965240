//! The lines of the log: hash and leaf as they are recorded, then what the leaf says, for people.

use super::scan::Scan;
use super::write;
use crate::leaf::{Leaf, LeafLeg};
use crate::{Act, Currency};

/// The file of the leaves, in the order of the log.
pub(super) const FILE: &str = "transactions.jsonl";

/// Writes a transaction: hash and leaf as they are recorded, then what the leaf says, for people.
pub(super) fn write_line(line: &mut Vec<u8>, seq: i64, hash: &[u8], bytes: &[u8], leaf: Option<&Leaf>) {
    write::put(line, "{\"seq\":");
    write::int(line, seq);
    write::put(line, ",\"hash\":\"");
    write::hex(line, hash);
    write::put(line, "\",\"leaf\":\"");
    write::hex(line, bytes);
    write::put(line, "\"");
    write_said(line, leaf);
}

/// Writes the end of the line, after the leaf.
pub(super) fn write_said(line: &mut Vec<u8>, leaf: Option<&Leaf>) {
    // What is no leaf says nothing.
    if let Some(leaf) = leaf {
        said(line, leaf);
    }
    write::put(line, "}");
}

/// Reads place, hash and leaf of a transaction, of which there is one way to write each. The rest of the line is to be
/// compared with what [`write_said`] writes.
pub(super) fn read<'a>(line: &'a [u8], hash: &mut Vec<u8>, leaf: &mut Vec<u8>) -> Option<(i64, &'a [u8])> {
    let mut scan = Scan { rest: line };
    let seq = scan.skip("{\"seq\":").and_then(|()| scan.int())?;
    scan.skip(",\"hash\":\"").and_then(|()| scan.hex(hash))?;
    scan.skip(",\"leaf\":\"").and_then(|()| scan.hex(leaf))?;
    Some((seq, scan.rest))
}

fn said(line: &mut Vec<u8>, leaf: &Leaf) {
    let (act, other) = match leaf.act {
        Act::Post => ("post", None),
        Act::PostUpTo { .. } => ("post_up_to", None),
        Act::Reverse(other) => ("reverse", Some(other)),
        Act::ReversePart(other) => ("reverse_part", Some(other)),
        Act::Hold { .. } => ("hold", None),
        Act::Capture(other) => ("capture", Some(other)),
        Act::Void(other) => ("void", Some(other)),
        Act::Expire(other) => ("expire", Some(other)),
        Act::Close => ("close", None),
    };
    write::put(line, ",\"id\":");
    write::uuid(line, leaf.id.0);
    write::put(line, ",\"act\":\"");
    write::put(line, act);
    write::put(line, "\",\"of\":");
    write::uuid_or_null(line, other.map(|other| other.0));
    write::put(line, ",\"recorded_at\":");
    write::time(line, leaf.recorded_at.timestamp_micros());
    write::put(line, ",\"effective_at\":");
    write::time(line, leaf.effective_at.timestamp_micros());
    write::put(line, ",\"code\":");
    write::int(line, leaf.code.into());
    write::put(line, ",\"metadata_hash\":\"");
    write::hex(line, &leaf.metadata_hash);
    write::put(line, "\"");
    match leaf.act {
        Act::Hold { expires_at } => {
            write::put(line, ",\"expires_at\":");
            write::time_or_null(line, expires_at.map(|at| at.timestamp_micros()));
        }
        Act::PostUpTo { asked } => amount(line, ",\"asked\":\"", asked, leaf.legs[0].currency),
        _ => (),
    }
    write::put(line, ",\"legs\":[");
    for (n, leg) in leaf.legs.iter().enumerate() {
        write::put(line, if n == 0 { "{\"account\":" } else { ",{\"account\":" });
        said_leg(line, leg);
    }
    write::put(line, "]");
}

fn said_leg(line: &mut Vec<u8>, leg: &LeafLeg) {
    write::uuid(line, leg.account.0);
    write::put(line, ",\"currency\":\"");
    write::put(line, leg.currency.code());
    amount(line, "\",\"amount\":\"", leg.amount, leg.currency);
    write::put(line, "}");
}

/// Appends an amount with the decimals of its currency.
fn amount(line: &mut Vec<u8>, name: &str, minor: i64, currency: Currency) {
    write::put(line, name);
    let scale = u32::from(currency.scale());
    if scale == 0 {
        write::int(line, minor);
    } else {
        let (unit, minor_units) = (10u64.pow(scale), minor.unsigned_abs());
        if minor < 0 {
            line.push(b'-');
        }
        write::int(line, (minor_units / unit) as i64);
        line.push(b'.');
        for place in (0..scale).rev() {
            line.push(b'0' + (minor_units / 10u64.pow(place) % 10) as u8);
        }
    }
    write::put(line, "\"");
}
