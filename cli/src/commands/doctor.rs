//! `bitnexus doctor`: looks at configuration, database, processes and ledger, and says what is wrong and what to do.

mod clock;
mod configuration;
mod connections;
mod days;
mod disk;
mod examine;
mod grants;
mod key_file;
mod key_in_force;
mod log;
mod migrations;
mod print;
mod queues;
mod reconciliation;
mod report;
mod schedules;
mod schema;
mod server;
mod settings;
mod snapshots;
mod spelling;
mod workers;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::Result;
use clap::Args;

pub use self::configuration::Value;
pub use self::examine::{Subject, Thresholds, examine};
pub use self::report::{Finding, Report, Severity};
pub use self::schema::describe;
pub use self::spelling::{misspelt, variables};

use crate::config::DatabaseArgs;
use crate::operator::OutputArgs;

/// Say what is wrong with this installation, and what to do about each.
///
/// It looks at the configuration that processes started here would take, and at the database with all that is in it; it
/// changes nothing. The exit status is that of a monitoring plug-in: 0 when nothing is wrong, 1 when there are warnings, 2
/// when there are errors. Notes do not count.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// File with the key that signs the ledger's checkpoints. Default: that of the `bitnexus up` here.
    #[arg(long, value_name = "FILE", env = "LEDGER_SIGNING_KEY_FILE")]
    signing_key_file: Option<PathBuf>,
    /// Print every setting that a process started here would take, too; secrets are left out.
    #[arg(long)]
    config: bool,
}

/// Examines, and prints what was found.
///
/// # Errors
/// None: what keeps it from looking is a finding as well.
pub async fn run(args: DoctorArgs) -> Result<ExitCode> {
    let subject = Subject {
        url: args.database.url().map_err(|error| format!("{error:#}")),
        dir: args.database.dir,
        signing_key_file: args.signing_key_file,
        thresholds: Thresholds::default(),
        clock: SystemTime::now,
    };
    let report = examine(&subject).await;
    if args.output.json {
        print::json(&report);
    } else {
        print::text(&report, args.config);
    }
    Ok(ExitCode::from(report.exit_code()))
}
