//! What a supervisor needs to know of a child.

use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

/// One child: how to start it, how to ask it to end, and how long to wait for that.
pub struct ChildSpec {
    /// Its slot, as logs and metrics name it: `postgres`, `api`, `worker.1`.
    pub name: String,
    /// Makes the command of one start.
    pub command: Box<dyn Fn() -> Command + Send + Sync>,
    /// The signal that asks it to end.
    pub stop_signal: Signal,
    /// The signal that the kernel sends it when the supervisor dies.
    pub orphan_signal: Signal,
    /// How long it may take to end before it is killed.
    pub grace: Duration,
    /// Whether its standard input is a pipe that ends with the supervisor; otherwise it reads `/dev/null`.
    pub lifeline: bool,
    /// Whether it leads a session of its own, rather than just a process group.
    pub session: bool,
}

impl ChildSpec {
    /// A child of our own kind: it ends by SIGTERM and watches its lifeline.
    pub fn new(name: impl Into<String>, command: impl Fn() -> Command + Send + Sync + 'static) -> ChildSpec {
        ChildSpec {
            name: name.into(),
            command: Box::new(command),
            stop_signal: Signal::TERM,
            orphan_signal: Signal::TERM,
            grace: Duration::from_secs(25),
            lifeline: true,
            session: false,
        }
    }
}

impl std::fmt::Debug for ChildSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChildSpec").field("name", &self.name).field("grace", &self.grace).finish_non_exhaustive()
    }
}
