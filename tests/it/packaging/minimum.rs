//! PostgreSQL 14 is the oldest that is promised, and not the one that tests run on: what came later must not be used.

use std::fs;
use std::path::{Path, PathBuf};

use super::kit::root;

/// Words of statements that 14 does not know, in lower case. What came with 16 or later also fails on the 15 of Debian.
const LATER: [&str; 32] = [
    // 15
    "nulls not distinct",
    "merge into",
    "regexp_count(",
    "regexp_like(",
    "regexp_instr(",
    "regexp_substr(",
    "security_invoker",
    "unlogged sequence",
    "set access method",
    "has_parameter_privilege",
    "grant set on parameter",
    "pg_backup_start",
    "shared_memory_size",
    "pg_stat_recovery_prefetch",
    "on delete set null (",
    // 16
    "any_value(",
    "is json",
    "json_array(",
    "json_object(",
    "json_arrayagg(",
    "json_objectagg(",
    "pg_stat_io",
    "random_normal(",
    "pg_input_is_valid(",
    "with inherit",
    "system_user",
    // 17 and 18
    "json_table(",
    "json_exists(",
    "pg_stat_checkpointer",
    "merge_action(",
    "uuidv7()",
    "without overlaps",
];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        let is_statement = path.extension().is_some_and(|extension| extension == "sql" || extension == "rs");
        if path.is_dir() {
            files(&path, found);
        } else if is_statement {
            found.push(path);
        }
    }
}

#[test]
fn no_statement_needs_a_newer_postgresql() {
    let mut paths = Vec::new();
    for folder in
        ["migrations", "ledger/src", "queue/src", "domain/src", "jobs/src", "api/src", "workers/src", "cli/src"]
    {
        files(&root().join(folder), &mut paths);
    }
    assert!(paths.len() > 300);
    for path in paths {
        let text = fs::read_to_string(&path).unwrap();
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            let line = line.to_lowercase();
            let found = LATER.iter().find(|word| line.contains(*word));
            assert!(found.is_none(), "{}: {}", path.display(), line.trim());
        }
    }
}
