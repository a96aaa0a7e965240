//! What the binary can be told to do, one file a command.

pub mod admin;
pub mod api;
pub mod audit;
pub mod db;
pub mod doctor;
pub mod health;
pub mod import;
pub mod jobs;
pub mod ledger;
pub mod migrate;
pub mod openapi;
pub mod prometheus_config;
pub mod queues;
pub mod schedules;
pub mod up;
pub mod witness;
pub mod worker;
pub mod worker_child;

use std::process::ExitCode;

use anyhow::{Context, Result, anyhow};
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
use tokio::runtime::{Builder, Runtime};

use crate::telemetry::{Identity, TelemetryArgs};

/// BitNexus: a durable job platform with a provable ledger, on PostgreSQL.
///
/// `bitnexus up` runs everything on one machine. The roles `api` and `worker` are what a Procfile scales; `migrate` is
/// the release step. Every flag can be given as the environment variable named beside it.
#[derive(Debug, Parser)]
#[command(name = "bitnexus", version, propagate_version = true)]
struct Cli {
    #[command(flatten)]
    telemetry: TelemetryArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Up(up::UpArgs),
    Api(api::ApiArgs),
    Worker(worker::WorkerArgs),
    #[command(hide = true)]
    WorkerChild(worker_child::WorkerChildArgs),
    Migrate(migrate::MigrateArgs),
    Witness(witness::WitnessArgs),
    /// Bring data in through the API.
    Import(import::ImportArgs),
    Ledger(ledger::LedgerArgs),
    #[command(name = "openapi")]
    OpenApi(openapi::OpenApiArgs),
    PrometheusConfig(prometheus_config::PrometheusConfigArgs),
    Jobs(jobs::JobsArgs),
    Queues(queues::QueuesArgs),
    Schedules(schedules::SchedulesArgs),
    Audit(audit::AuditArgs),
    Doctor(doctor::DoctorArgs),
    Health(health::HealthArgs),
    Db(db::DbArgs),
    Admin(admin::AdminArgs),
}

impl Command {
    fn identity(&self) -> Identity {
        let (role, slot) = match self {
            Command::Up(_) => ("up", None),
            Command::Api(_) => ("api", None),
            Command::Worker(_) => ("supervisor", None),
            Command::WorkerChild(args) => ("worker", Some(args.slot())),
            Command::Witness(_) => ("witness", None),
            _ => ("command", None),
        };
        Identity { role, slot }
    }
}

/// Runs what the command line says; the exit status is 0 when that went well, 1 when it did not, 2 when the command
/// line is wrong, and 70 when processes died again and again.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = cli.telemetry.start_logging(cli.command.identity()).and_then(|()| run(cli));
    result.unwrap_or_else(|error| {
        eprintln!("bitnexus: {error:#}");
        ExitCode::FAILURE
    })
}

/// The whole command line, for whoever wants to look at it.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Has a role's command line read this process's environment, as a start of the role would.
///
/// # Errors
/// When the role would refuse it; the first line of what it would say.
pub(crate) fn read_environment(role: &str) -> Result<ArgMatches> {
    let refused = |error: clap::Error| {
        let text = error.to_string();
        anyhow!("{}", text.lines().next().unwrap_or_default().trim_start_matches("error: "))
    };
    let mut matches = command().try_get_matches_from(["bitnexus", role]).map_err(refused)?;
    let matches = matches.remove_subcommand().map(|(_, matches)| matches).unwrap_or_default();
    if role == "api" {
        api::ApiArgs::from_arg_matches(&matches).map_err(refused)?.check()?;
    }
    Ok(matches)
}

fn run(cli: Cli) -> Result<ExitCode> {
    match cli.command {
        // A supervisor has to fork on the main thread, so its runtime has no other.
        Command::Up(args) => single_threaded()?.block_on(up::run(args, &cli.telemetry)),
        Command::Worker(args) => single_threaded()?.block_on(worker::run(args, &cli.telemetry)),
        Command::Api(args) => multi_threaded()?.block_on(api::run(args, &cli.telemetry)),
        Command::WorkerChild(args) => multi_threaded()?.block_on(worker_child::run(args, &cli.telemetry)),
        Command::Witness(args) => multi_threaded()?.block_on(witness::run(args)),
        Command::Migrate(args) => single_threaded()?.block_on(migrate::run(args)),
        Command::Import(args) => multi_threaded()?.block_on(import::run(args)),
        Command::Ledger(args) => single_threaded()?.block_on(ledger::run(args)),
        Command::OpenApi(args) => openapi::run(args),
        Command::PrometheusConfig(args) => prometheus_config::run(args),
        Command::Jobs(args) => single_threaded()?.block_on(jobs::run(args)),
        Command::Queues(args) => single_threaded()?.block_on(queues::run(args)),
        Command::Schedules(args) => single_threaded()?.block_on(schedules::run(args)),
        Command::Audit(args) => single_threaded()?.block_on(audit::run(args)),
        Command::Doctor(args) => single_threaded()?.block_on(doctor::run(args)),
        Command::Health(args) => single_threaded()?.block_on(health::run(args)),
        Command::Db(args) => db::run(args),
        Command::Admin(args) => single_threaded()?.block_on(admin::run(args)),
    }
}

fn single_threaded() -> Result<Runtime> {
    Builder::new_current_thread().enable_all().build().context("starting the runtime")
}

fn multi_threaded() -> Result<Runtime> {
    Builder::new_multi_thread().enable_all().build().context("starting the runtime")
}
