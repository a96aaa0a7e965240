//! The house rules that a machine can hold: who may import whom, how large things may grow, what may not stand where.
//!
//! The figures are ratchets: move one with a reason in the commit.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Which of our crates each crate may import. `tests` and `benches` may import everything, and nobody imports them.
const MAY_IMPORT: [(&str, &[&str]); 9] = [
    ("ledger", &[]),
    ("queue", &[]),
    ("domain", &["ledger"]),
    ("jobs", &["queue", "ledger", "domain"]),
    ("api", &["jobs", "domain", "queue", "ledger"]),
    ("workers", &["jobs", "queue"]),
    ("cli", &["ledger", "queue", "domain", "jobs", "api", "workers"]),
    ("tests", &["ledger", "queue", "domain", "jobs", "api", "workers", "cli"]),
    ("benches", &["ledger", "queue", "domain", "jobs", "api", "workers", "cli"]),
];

/// The longest chain of imports: `ledger -> domain -> jobs -> api -> cli`, and one more for what nobody imports.
const GRAPH_DEPTH_MAX: usize = 6;

const FILE_LINES_MEDIAN_MAX: usize = 110;
const FILE_LINES_P90_MAX: usize = 300;
const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MEDIAN_MAX: usize = 10;
const FUNCTION_LINES_P90_MAX: usize = 40;
const FUNCTION_LINES_MAX: usize = 70;
const LEDGER_ASSERTIONS_PER_1000_LINES_MIN: usize = 20;

/// A source file that is no test.
struct Source {
    path: PathBuf,
    /// Its text without the inline test module.
    text: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace").to_owned()
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of ours can be read").flatten() {
        let path = entry.path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn sources() -> Vec<Source> {
    let mut paths = Vec::new();
    for (name, _) in MAY_IMPORT {
        rust_files(&root().join(name).join("src"), &mut paths);
    }
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a source file is UTF-8");
        let text = text.split("#[cfg(test)]\nmod ").next().expect("a split has a first part").to_owned();
        Source { path, text }
    };
    // A test module may have a file of its own.
    paths.retain(|path| !path.ends_with("tests.rs"));
    paths.into_iter().map(read).collect()
}

/// The crates of ours that a manifest names outside its dev-dependencies.
fn imports(name: &str) -> Vec<String> {
    let manifest = fs::read_to_string(root().join(name).join("Cargo.toml")).expect("every crate has a manifest");
    let dependencies = manifest.split("\n[dependencies]\n").nth(1).unwrap_or_default();
    let dependencies = dependencies.split("\n[").next().unwrap_or_default();
    let names = dependencies.lines().filter_map(|line| line.split(['.', ' ', '=']).next());
    names.filter(|found| MAY_IMPORT.iter().any(|(ours, _)| ours == found)).map(str::to_owned).collect()
}

/// The names and line counts of the functions in rustfmt's output: a body ends at the brace of its own indentation.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let indent = line.len() - code.len();
        let is_function =
            ["fn ", "pub fn ", "async fn ", "pub async fn ", "pub(crate) fn ", "pub(super) fn ", "const fn "]
                .iter()
                .any(|head| code.starts_with(head))
                || code.starts_with("pub(crate) async fn ")
                || code.starts_with("pub(super) async fn ")
                || code.starts_with("pub const fn ");
        if !is_function || code.ends_with(';') {
            continue;
        }
        let closing = format!("{}}}", " ".repeat(indent));
        let length = if code.ends_with('}') {
            Some(1)
        } else {
            lines[start..].iter().position(|l| *l == closing).map(|n| n + 1)
        };
        if let Some(length) = length {
            found.push((code.chars().take(60).collect(), length));
        }
    }
    found
}

fn percentile(mut values: Vec<usize>, percent: usize) -> usize {
    values.sort_unstable();
    values[(values.len() - 1) * percent / 100]
}

#[test]
fn crates_import_only_what_the_table_allows() {
    for (name, allowed) in MAY_IMPORT {
        for import in imports(name) {
            assert!(allowed.contains(&import.as_str()), "{name}/Cargo.toml may not import `{import}`");
        }
    }
}

#[test]
fn the_import_graph_stays_shallow() {
    fn depth(name: &str) -> usize {
        1 + imports(name).iter().map(|import| depth(import)).max().unwrap_or(0)
    }
    let deepest = MAY_IMPORT.iter().map(|(name, _)| depth(name)).max().expect("there are crates");
    assert!(deepest <= GRAPH_DEPTH_MAX, "the longest chain of imports has {deepest} crates");
}

#[test]
fn every_file_opens_with_what_it_is_for() {
    let mut paths = Vec::new();
    for (name, _) in MAY_IMPORT {
        rust_files(&root().join(name), &mut paths);
    }
    for path in paths {
        let text = fs::read_to_string(&path).expect("a source file is UTF-8");
        assert!(text.starts_with("//! "), "{} does not open with `//! `", path.display());
    }
}

#[test]
fn nothing_unwraps_outside_tests() {
    for source in sources() {
        for (number, line) in source.text.lines().enumerate() {
            assert!(!line.contains(".unwrap()"), "{}:{} unwraps", source.path.display(), number + 1);
        }
    }
}

#[test]
fn files_stay_small() {
    let sizes: HashMap<_, _> =
        sources().iter().map(|source| (source.path.clone(), source.text.lines().count())).collect();
    for (path, lines) in &sizes {
        assert!(*lines <= FILE_LINES_MAX, "{} has {lines} lines", path.display());
    }
    let lines: Vec<usize> = sizes.into_values().collect();
    let (median, p90) = (percentile(lines.clone(), 50), percentile(lines, 90));
    assert!(median <= FILE_LINES_MEDIAN_MAX, "the median file has {median} lines");
    assert!(p90 <= FILE_LINES_P90_MAX, "one file in ten has more than {p90} lines");
}

#[test]
fn functions_stay_small() {
    let mut lengths = Vec::new();
    for source in sources() {
        for (name, length) in functions(&source.text) {
            assert!(length <= FUNCTION_LINES_MAX, "{}: `{name}` has {length} lines", source.path.display());
            lengths.push(length);
        }
    }
    assert!(lengths.len() > 100, "the scan finds functions");
    let (median, p90) = (percentile(lengths.clone(), 50), percentile(lengths, 90));
    assert!(median <= FUNCTION_LINES_MEDIAN_MAX, "the median function has {median} lines");
    assert!(p90 <= FUNCTION_LINES_P90_MAX, "one function in ten has more than {p90} lines");
}

#[test]
fn the_ledger_asserts_what_it_relies_on() {
    let ledger = root().join("ledger");
    let sources: Vec<_> = sources().into_iter().filter(|source| source.path.starts_with(&ledger)).collect();
    let count = |wanted: &dyn Fn(&str) -> bool| -> usize {
        sources.iter().map(|source| source.text.lines().filter(|line| wanted(line)).count()).sum()
    };
    let lines = count(&|line| !line.trim().is_empty() && !line.trim_start().starts_with("//"));
    let assertions =
        count(&|line| line.contains("assert!(") || line.contains("assert_eq!(") || line.contains(".expect("));
    let per_1000 = assertions * 1_000 / lines.max(1);
    assert!(per_1000 >= LEDGER_ASSERTIONS_PER_1000_LINES_MIN, "{per_1000} assertions for each 1,000 lines");
}

#[tokio::test]
async fn every_table_and_column_has_a_comment() {
    let pool = tests::database::Database::create().await.pool(1).await;
    let bare: Vec<String> = sqlx::query_scalar(
        "select format('%s.%s%s', space.nspname, class.relname, coalesce('.' || attribute.attname, ''))
         from pg_class as class
         join pg_namespace as space on space.oid = class.relnamespace
         join pg_attribute as attribute on attribute.attrelid = class.oid and attribute.attnum > 0 and not attribute.attisdropped
         where space.nspname in ('queue', 'ledger', 'app', 'reconciliation')
           and class.relkind in ('r', 'p')
           and not class.relispartition
           and (col_description(class.oid, attribute.attnum) is null or obj_description(class.oid) is null)
         order by 1",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    assert!(bare.is_empty(), "without a comment: {bare:?}");
}
