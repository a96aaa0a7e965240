//! Phoenix Channels: which topics there are, and how many clients.

use std::path::PathBuf;

use anyhow::{Result, anyhow};
use api::{SocketLimits, TopicMap};
use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The flags.
#[derive(Debug, Args)]
#[command(next_help_heading = "Channels")]
pub(super) struct ChannelsArgs {
    /// File with the topics that clients may join, as JSON (docs/REALTIME.md); without it, user:<id>, transactions:<id>, ledger and jobs:<id>.
    #[arg(long, value_name = "FILE", env = "TOPICS_FILE")]
    topics_file: Option<PathBuf>,
    /// How many clients of channels may be connected at once; more are turned away with 503.
    #[arg(long, value_name = "N", env = "SOCKETS", default_value_t = SocketLimits::default().sockets_max as u32, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    sockets: u32,
    /// How many of them may be one user's; more are turned away with 429.
    #[arg(long, value_name = "N", env = "SOCKETS_PER_USER", default_value_t = SocketLimits::default().sockets_per_user_max as u32, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    sockets_per_user: u32,
}

impl ChannelsArgs {
    /// The bounds on channels, and which there are.
    ///
    /// # Errors
    /// When the file cannot be read or is no map of topics; it says why.
    pub(super) fn limits(&self) -> Result<SocketLimits> {
        let topics = match &self.topics_file {
            None => TopicMap::default(),
            Some(file) => {
                let text = std::fs::read_to_string(file).map_err(|error| error.to_string());
                let map = text.and_then(|text| text.parse());
                map.map_err(|error| anyhow!("--topics-file (TOPICS_FILE): {}: {error}", file.display()))?
            }
        };
        Ok(SocketLimits {
            sockets_max: self.sockets as usize,
            sockets_per_user_max: self.sockets_per_user as usize,
            topics,
            ..SocketLimits::default()
        })
    }
}

/// Each client is an open file: lets the process have as many as it may ask for.
pub(super) fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    if let Err(error) = raised {
        tracing::warn!(%error, "the process may not have more open files");
    }
}
