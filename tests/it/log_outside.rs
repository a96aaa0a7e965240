//! Tools that are not ours accept our log and refuse one that was changed: golang.org/x/mod and aics-tlog.

use std::fs;
use std::path::Path;

use ledger::checkpoint::note::{Body, sign_text};
use ledger::keys::SigningKey;
use tests::outside::Tool;

use crate::log_kit::{Exported, key, turn_a_bit};

/// An export of 3,000 leaves, and the checkpoint that there was at 1,234.
async fn export() -> Exported {
    let mut log = Exported::create(1_234).await;
    log.export().await.unwrap();
    fs::copy(log.file("checkpoint"), log.file("older")).unwrap();
    log.grow(1_766).await;
    log.export().await.unwrap();
    log
}

/// Copies a folder with all that is in it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() { copy(&entry.path(), &to) } else { fs::copy(entry.path(), to).map(drop).unwrap() }
    }
}

type Change = (&'static str, &'static str, fn(&Path));

/// Writes a checkpoint that says something else, rightly signed.
fn say(path: &Path, change: fn(&mut Body)) {
    let mut body = Body::read(&fs::read_to_string(path).unwrap()).unwrap();
    change(&mut body);
    fs::write(path, body.sign(&key())).unwrap();
}

/// Signs what a checkpoint says with other keys.
fn sign_again(path: &Path, keys: &[SigningKey]) {
    let text = Body::read(&fs::read_to_string(path).unwrap()).unwrap().to_text();
    fs::write(path, sign_text(&text, keys)).unwrap();
}

fn stranger() -> SigningKey {
    SigningKey::from_seed("bitnexus.example/main", &[8; 32]).unwrap()
}

/// Changes of one file each: what it is, the file, and how.
const CHANGES: &[Change] = &[
    ("a bit of a leaf", "tile/entries/003", |path| turn_a_bit(path, 60)),
    ("a bit of a leaf at the edge", "tile/entries/011.p/184", |path| turn_a_bit(path, 60)),
    ("a bit of a tile", "tile/0/005", |path| turn_a_bit(path, 4_000)),
    ("a bit of the open tile", "tile/0/011.p/184", |path| turn_a_bit(path, 33)),
    ("a bit of a tile of the second level", "tile/1/000.p/11", |path| turn_a_bit(path, 100)),
    ("a tile that is cut short", "tile/0/005", |path| {
        fs::OpenOptions::new().write(true).open(path).and_then(|file| file.set_len(8_160)).unwrap();
    }),
    ("a bundle that is gone", "tile/entries/007", |path| fs::remove_file(path).unwrap()),
    ("two leaves in the other order", "tile/entries/002", |path| {
        let bytes = fs::read(path).unwrap();
        let first = 2 + usize::from(u16::from_be_bytes([bytes[0], bytes[1]]));
        let second = first + 2 + usize::from(u16::from_be_bytes([bytes[first], bytes[first + 1]]));
        fs::write(path, [&bytes[first..second], &bytes[..first], &bytes[second..]].concat()).unwrap();
    }),
    ("another root, rightly signed", "checkpoint", |path| say(path, |body| body.root[0] ^= 1)),
    ("one leaf fewer, rightly signed", "checkpoint", |path| say(path, |body| body.size -= 1)),
    ("another origin, rightly signed", "checkpoint", |path| say(path, |body| body.origin.push('x'))),
    ("a bit of the root", "checkpoint", |path| {
        let note = fs::read_to_string(path).unwrap();
        let mut lines: Vec<String> = note.split('\n').map(str::to_owned).collect();
        let turned = if lines[2].starts_with('A') { "B" } else { "A" };
        lines[2].replace_range(..1, turned);
        fs::write(path, lines.join("\n")).unwrap();
    }),
    ("a bit of the signature", "checkpoint", |path| {
        let note = fs::read_to_string(path).unwrap();
        let at = note.len() - 20;
        let turned = if note[at..].starts_with('A') { "B" } else { "A" };
        fs::write(path, format!("{}{turned}{}", &note[..at], &note[at + 1..])).unwrap();
    }),
    ("the signature of another key", "checkpoint", |path| sign_again(path, &[stranger()])),
    ("an older checkpoint of a fork", "older", |path| say(path, |body| body.root[31] ^= 1)),
    ("an older checkpoint that nobody signed", "older", |path| sign_again(path, &[stranger()])),
];

/// Runs the tool on a copy; what it says, and whether it accepts.
fn accepts(tool: &Tool, folder: &Path) -> (bool, String) {
    let (vkey, older) = (key().verifier().to_text(), folder.join("older"));
    let output = tool.run(&[&vkey, folder.to_str().unwrap(), older.to_str().unwrap()]);
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

async fn accepts_ours_and_refuses_others(tool: Tool) {
    let log = export().await;
    let (accepted, said) = accepts(&tool, log.folder());
    assert!(accepted, "{}: {said}", tool.name);
    assert_eq!(said.trim(), "3000 leaves, consistent with 1234");
    let place = tempfile::tempdir().unwrap();
    for (number, (what, file, change)) in CHANGES.iter().enumerate() {
        let folder = place.path().join(number.to_string());
        copy(log.folder(), &folder);
        change(&folder.join(file));
        let (accepted, said) = accepts(&tool, &folder);
        println!("{}: {what}: {}", tool.name, said.trim());
        assert!(!accepted, "{}: {what}: {said}", tool.name);
    }
    // While a key is rotated there are two signatures, one of which they do not know.
    let folder = place.path().join("rotated");
    copy(log.folder(), &folder);
    sign_again(&folder.join("checkpoint"), &[stranger(), key()]);
    assert!(accepts(&tool, &folder).0, "{}", tool.name);
}

#[tokio::test]
async fn the_go_teams_library_accepts_our_log_and_refuses_a_changed_one() {
    if let Some(tool) = Tool::go() {
        accepts_ours_and_refuses_others(tool).await;
    }
}

#[tokio::test]
async fn aics_tlog_accepts_our_log_and_refuses_a_changed_one() {
    if let Some(tool) = Tool::aics() {
        accepts_ours_and_refuses_others(tool).await;
    }
}
