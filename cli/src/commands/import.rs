//! `bitnexus import`: brings the orders of a file in through the HTTP API, as any other client would.
//!
//! A run is a pure function of the file: what it creates is named by the file's content and the line, so a second
//! run adds nothing, and a run that was interrupted is finished by the next.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

pub mod client;
pub mod file;
pub mod line;
pub mod load;
pub mod orders;
pub mod people;
pub mod plan;
pub mod rejects;
pub mod report;
pub mod wire;

use client::Client;
use file::{File, Refused};
use load::{Loaded, load};
use orders::{Fate, Pace};
use plan::Plan;
use report::Report;

use crate::tls::authorities;

/// What to import.
#[derive(Debug, Args)]
pub struct ImportArgs {
    #[command(subcommand)]
    format: Format,
}

#[derive(Debug, Subcommand)]
enum Format {
    /// Import the orders of an "Online Retail" file (UCI Machine Learning Repository).
    ///
    /// Creates the products, the customers with their wallets, an opening deposit for each that covers their orders,
    /// and one transaction for each order line. A cancellation reverses the nearest earlier line that it is the exact
    /// inverse of, else it is a refund. A second run, with a key of the same user, adds nothing.
    OnlineRetail(OnlineRetailArgs),
}

#[derive(Debug, Args)]
struct OnlineRetailArgs {
    /// The file, CSV with a header.
    file: PathBuf,
    /// Address of the API.
    #[arg(long, value_name = "URL", env = "BITNEXUS_API", default_value = "http://127.0.0.1:4000")]
    api: String,
    /// File with certificates of authorities, as PEM, that the API may have its own from beside those that browsers know; or
    /// with that very certificate.
    #[arg(long, value_name = "FILE", env = "BITNEXUS_CA_FILE")]
    ca_file: Option<PathBuf>,
    /// API key of an administrator.
    #[arg(long, value_name = "KEY", env = "BITNEXUS_KEY", hide_env_values = true)]
    key: String,
    /// Transactions in a request.
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u16).range(1..=1000))]
    batch: u16,
    /// Requests at a time.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=256))]
    in_flight: u16,
    /// Where the refused lines go, each with its number and reason.
    #[arg(long, value_name = "FILE", default_value = "rejects.csv")]
    rejects: PathBuf,
    /// Seconds to keep trying while the API does not answer, or the workers do not get on; unless given, 600, and 5 for the first answer.
    #[arg(long, value_name = "SECONDS")]
    give_up_after: Option<u64>,
}

/// Runs the import and prints what it came to.
///
/// # Errors
/// When the file, the address or the key is wrong, or the service stays away for too long.
pub async fn run(args: ImportArgs) -> Result<ExitCode> {
    let Format::OnlineRetail(args) = args.format;
    let started = Instant::now();
    let authorities = authorities("--ca-file (BITNEXUS_CA_FILE)", args.ca_file.as_deref())?;
    let client = Client::new(&args.api, authorities, &args.key, args.give_up_after.map(Duration::from_secs))?;
    let file = File::read(&args.file)?;
    client.greet().await?;
    let plan = Plan::of(&file.lines);
    let bar = progress_bar(&plan);
    let pace = Pace { batch: args.batch.into(), in_flight: args.in_flight.into() };
    let loaded = load(&client, &plan, &file.hash, pace, &bar).await?;
    bar.finish_and_clear();
    let refused = all_refused(&file, &loaded);
    rejects::write(&args.rejects, &refused)?;
    print!("{}", Report::of(&file, &refused, &loaded, started.elapsed()));
    println!("refused lines are in {}", args.rejects.display());
    Ok(ExitCode::SUCCESS)
}

/// One step for each product, customer, deposit and line.
fn progress_bar(plan: &Plan<'_>) -> ProgressBar {
    let deposits =
        plan.customers.iter().filter(|customer| customer.deposit > 0).count() + usize::from(plan.shop_deposit > 0);
    let steps = plan.products.len() + plan.customers.len() + deposits + plan.sales.len() + plan.cancellations.len();
    let style = ProgressStyle::with_template("{msg:14} {wide_bar} {pos}/{len} {elapsed} left {eta}");
    ProgressBar::new(steps as u64).with_style(style.expect("the template is one"))
}

/// What was refused when the file was read, and what the API refused, in the order of the file.
fn all_refused(file: &File, loaded: &Loaded) -> Vec<Refused> {
    let mut refused = file.refused.clone();
    for order in &loaded.orders {
        if let Fate::Refused(code) = &order.fate {
            refused.push(Refused { number: order.line, reason: code.clone(), text: file.text(order.line) });
        }
    }
    refused.sort_by_key(|line| line.number);
    refused
}
