//! A witness against a log that grows, forks, rolls back and lies.

use super::*;
use crate::keys::SigningKey;
use crate::merkle::frontier::Frontier;
use crate::merkle::proof::{consistency, join, subtrees};
use crate::merkle::{Hash, leaf_hash};

const ORIGIN: &str = "bitnexus.example/main";

/// A log whose leaves are numbers; those from `fork` on are others.
struct Log {
    key: SigningKey,
    fork: u64,
}

impl Log {
    fn new() -> Log {
        Log { key: SigningKey::from_seed(ORIGIN, &[1; 32]).unwrap(), fork: u64::MAX }
    }

    fn forked_at(fork: u64) -> Log {
        Log { fork, ..Log::new() }
    }

    fn over(&self, leaves: std::ops::Range<u64>) -> Hash {
        let mut frontier = Frontier::empty();
        let leaf = |n: u64| leaf_hash(&[n.to_be_bytes(), u64::from(n >= self.fork).to_be_bytes()].concat());
        leaves.for_each(|n| frontier.push(leaf(n), |_| ()));
        frontier.root()
    }

    fn checkpoint(&self, size: u64) -> String {
        Body { origin: self.key.name().to_owned(), size, root: self.over(0..size) }.sign(&self.key)
    }

    fn request(&self, old: u64, size: u64) -> AddCheckpoint {
        let part = |range| {
            join(
                &subtrees(range)
                    .iter()
                    .map(|s| self.over(s.index << s.height..(s.index + 1) << s.height))
                    .collect::<Vec<_>>(),
            )
        };
        let proof = if old == 0 { Vec::new() } else { consistency(old, size).into_iter().map(part).collect() };
        AddCheckpoint::new(old, proof, &self.checkpoint(size)).unwrap()
    }
}

struct Bench {
    folder: tempfile::TempDir,
    witness: Witness,
}

fn witness(folder: &tempfile::TempDir) -> Witness {
    let key = CosignerKey::from_seed("witness.example/w1", &[9; 32]).unwrap();
    Witness::new(key, vec![Log::new().key.verifier()], Store::open(folder.path()).unwrap())
}

impl Bench {
    fn new() -> Bench {
        let folder = tempfile::tempdir().unwrap();
        Bench { witness: witness(&folder), folder }
    }

    fn ask(&self, request: &AddCheckpoint) -> Result<String, String> {
        self.witness.add_checkpoint(request.to_text().as_bytes(), 1_700_000_000).map_err(|error| match error {
            WitnessError::Request(RequestError(what)) => format!("400 {what}"),
            WitnessError::UnknownOrigin(_) => "404".to_owned(),
            WitnessError::UnknownKey => "403".to_owned(),
            WitnessError::Conflict { signed } => format!("409 {signed}"),
            WitnessError::NotConsistent => "422".to_owned(),
            WitnessError::Store(error) => format!("500 {error}"),
        })
    }
}

#[test]
fn a_log_that_grows_is_cosigned_and_the_signature_is_of_its_checkpoint() {
    let (bench, log) = (Bench::new(), Log::new());
    for (old, size) in [(0, 3), (3, 3), (3, 8), (8, 300)] {
        let line = bench.ask(&log.request(old, size)).unwrap();
        let key = CosignerKey::from_seed("witness.example/w1", &[9; 32]).unwrap().verifier();
        let body = Body::read(&log.checkpoint(size)).unwrap();
        assert_eq!(key.time_of(&body, &line), Some(1_700_000_000), "{old} {size}");
    }
}

#[test]
fn a_fork_or_a_rollback_is_refused_whatever_is_claimed() {
    let (bench, log) = (Bench::new(), Log::new());
    bench.ask(&log.request(0, 8)).unwrap();
    let refused = |request: AddCheckpoint| bench.ask(&request).unwrap_err();
    assert_eq!(refused(log.request(0, 5)), "409 8", "rolled back");
    assert_eq!(refused(log.request(5, 12)), "409 8", "as if the rest had never been signed for");
    assert_eq!(refused(log.request(0, 12)), "409 8", "as if it began anew");
    let fork = Log::forked_at(4);
    assert_eq!(refused(fork.request(8, 8)), "409 8", "another log of the same size");
    assert_eq!(refused(fork.request(8, 12)), "422", "a longer fork with its own proof");
    let liar = AddCheckpoint { proof: log.request(8, 12).proof, ..fork.request(8, 12) };
    assert_eq!(refused(liar), "422", "a longer fork with the proof of the true log");
    assert!(bench.ask(&log.request(8, 12)).is_ok(), "none of that keeps the true log from going on");
}

#[test]
fn a_witness_remembers_after_it_was_killed() {
    let (bench, log) = (Bench::new(), Log::new());
    bench.ask(&log.request(0, 8)).unwrap();
    // An unfinished file is what a kill in the middle of writing leaves behind.
    let Bench { folder, witness } = bench;
    let file = std::fs::read_dir(folder.path()).unwrap().flatten().map(|entry| entry.path());
    let file = file.into_iter().find(|path| path.extension().is_some_and(|end| end == "checkpoint")).unwrap();
    std::fs::write(file.with_extension("unfinished"), "bitnexus.exa").unwrap();
    drop(witness);
    let bench = Bench { witness: self::witness(&folder), folder };
    assert_eq!(bench.ask(&Log::forked_at(4).request(0, 9)).unwrap_err(), "409 8");
    assert!(bench.ask(&log.request(8, 9)).is_ok());
    assert!(matches!(Store::open(bench.folder.path()), Err(StoreError::InUse(_))), "one witness works with it");
    std::fs::write(&file, "not a checkpoint").unwrap();
    assert!(bench.ask(&log.request(9, 10)).unwrap_err().starts_with("500 "), "what is damaged is not begun anew");
}

#[test]
fn who_is_not_known_is_refused() {
    let (bench, log) = (Bench::new(), Log::new());
    let other = Log { key: SigningKey::from_seed("another.example/log", &[1; 32]).unwrap(), ..Log::new() };
    assert_eq!(bench.ask(&other.request(0, 3)).unwrap_err(), "404");
    let stranger = Log { key: SigningKey::from_seed(ORIGIN, &[2; 32]).unwrap(), ..Log::new() };
    assert_eq!(bench.ask(&stranger.request(0, 3)).unwrap_err(), "403");
    let with_a_proof = AddCheckpoint { proof: vec![[0; 32]], ..log.request(0, 3) };
    assert_eq!(bench.ask(&with_a_proof).unwrap_err(), "422", "nothing leads from nothing to something");
}

#[test]
fn what_is_not_a_request_is_refused_by_what_is_wrong() {
    let (bench, text) = (Bench::new(), Log::new().request(3, 8).to_text());
    let hash = text.lines().nth(1).unwrap();
    let rows = [
        (String::new(), "end of the proof"),
        (text.replace("old 3", "old 03"), "old size"),
        (text.replace("old 3", "old -3"), "old size"),
        (text.replace("old 3", "3"), "old size"),
        (text.replace("old 3", "old 9"), "old size"),
        (text.replace(hash, "AA=="), "proof"),
        (text.replace(&format!("{hash}\n"), &format!("{hash}\n").repeat(64)), "proof"),
        (text.replace("\n8\n", "\n08\n"), "checkpoint"),
    ];
    for (text, what) in rows {
        let refused = bench.witness.add_checkpoint(text.as_bytes(), 0);
        assert!(
            matches!(refused, Err(WitnessError::Request(RequestError(found))) if found == what),
            "{text}: {refused:?}"
        );
    }
    assert!(matches!(bench.witness.add_checkpoint(&[0xff], 0), Err(WitnessError::Request(RequestError("text")))));
}
