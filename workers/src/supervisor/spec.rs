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
    /// Whether its standard error goes through the supervisor, which then knows its last lines.
    pub copies_output: bool,
    /// What is looked after while it runs; none for a child that does not answer over its lifeline.
    pub care: Option<Care>,
}

/// What a supervisor looks after in a child that runs.
#[derive(Debug, Clone)]
pub struct Care {
    /// How long it may be silent before it is killed and replaced; none for any time.
    pub heartbeat_timeout: Option<Duration>,
    /// How long it may take to be at work. A successor that takes longer does not take the place of what runs.
    pub ready_timeout: Duration,
    /// How many bytes of memory it may have resident before a successor takes its place; none for any number.
    pub rss_max: Option<u64>,
}

impl Default for Care {
    fn default() -> Self {
        let (heartbeat_timeout, ready_timeout) = (Some(Duration::from_secs(10)), Duration::from_secs(60));
        Care { heartbeat_timeout, ready_timeout, rss_max: None }
    }
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
            copies_output: false,
            care: None,
        }
    }

    /// Writes it down, once, when the child is first kept.
    pub(super) fn log(&self) {
        let (slot, grace, lifeline, care) = (&self.name, self.grace, self.lifeline, &self.care);
        let command = (self.command)();
        // Not the environment: that has the database's address.
        let program = command.get_program().display();
        tracing::info!(child = slot, %program, ?grace, lifeline, ?care, restart = "always", "child spec");
    }
}

impl std::fmt::Debug for ChildSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChildSpec").field("name", &self.name).field("grace", &self.grace).finish_non_exhaustive()
    }
}
