//! The processes of a running service, by role, as the kernel shows them in `/proc`.

use std::collections::HashMap;
use std::fs;

/// What a process is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// `bitnexus up` itself.
    Up,
    /// The API.
    Api,
    /// The supervisor of the worker processes.
    Supervisor,
    /// A worker process that runs jobs.
    Worker,
    /// PostgreSQL's first process.
    Postgres,
    /// Anything else, such as PostgreSQL's other processes.
    Other,
}

/// A process, identified beyond the reuse of its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// What it is for.
    pub role: Role,
    /// When it started, in the kernel's ticks since boot.
    started: u64,
}

impl Process {
    /// Whether it still runs, and is no zombie.
    pub fn is_running(&self) -> bool {
        read(self.pid).is_some_and(|seen| seen.started == self.started && seen.state != 'Z')
    }
}

/// One entry of `/proc`.
struct Seen {
    parent: u32,
    state: char,
    started: u64,
    arguments: Vec<String>,
}

/// The process `root` and all that it started, directly or through others; without zombies.
pub fn below(root: u32) -> Vec<Process> {
    let seen: HashMap<u32, Seen> = numbers().filter_map(|pid| Some((pid, read(pid)?))).collect();
    let mut found = Vec::new();
    for (pid, process) in seen.iter().filter(|(_, process)| process.state != 'Z') {
        if *pid == root {
            found.push(Process { pid: *pid, role: Role::Up, started: process.started });
        } else if ancestors(&seen, *pid).contains(&root) {
            found.push(Process { pid: *pid, role: role(&seen, *pid), started: process.started });
        }
    }
    found.sort_by_key(|process| process.started);
    found
}

fn numbers() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").expect("Linux has /proc").flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn ancestors(seen: &HashMap<u32, Seen>, pid: u32) -> Vec<u32> {
    let mut chain = Vec::new();
    let mut next = seen.get(&pid).map(|process| process.parent);
    while let Some(parent) = next.filter(|parent| *parent != 0 && !chain.contains(parent)) {
        chain.push(parent);
        next = seen.get(&parent).map(|process| process.parent);
    }
    chain
}

fn role(seen: &HashMap<u32, Seen>, pid: u32) -> Role {
    let is = |pid: &u32, word: &str| seen.get(pid).is_some_and(|process| process.arguments.iter().any(|a| a == word));
    let is_postgres = |pid: &u32| {
        seen.get(pid).is_some_and(|process| process.arguments.first().is_some_and(|a| a.ends_with("postgres")))
    };
    let parent = seen[&pid].parent;
    if is_postgres(&pid) && !is_postgres(&parent) {
        Role::Postgres
    } else if is(&pid, "api") {
        Role::Api
    } else if is(&pid, "worker-child") {
        Role::Worker
    } else if is(&pid, "worker") {
        Role::Supervisor
    } else {
        Role::Other
    }
}

/// Reads one entry; none when the process has gone.
fn read(pid: u32) -> Option<Seen> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in brackets and may hold anything, brackets too; what is wanted follows the last one.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    let started = fields.nth(17)?.parse().ok()?;
    let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let arguments = command.split(|byte| *byte == 0).map(|part| String::from_utf8_lossy(part).into_owned()).collect();
    Some(Seen { parent, state, started, arguments })
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn children_are_found_and_their_end_is_seen() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let found = below(std::process::id());
        let cat = found.iter().find(|process| process.pid == child.id()).unwrap().clone();
        assert_eq!(cat.role, Role::Other);
        assert!(cat.is_running());
        assert_eq!(found.iter().filter(|process| process.role == Role::Up).count(), 1);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!cat.is_running());
    }
}
