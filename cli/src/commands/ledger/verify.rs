//! `bitnexus ledger verify`: proves the ledger, or names what is wrong with it.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use ledger::Book;
use ledger::verify::{Progress, Report, verify};

use crate::config::DatabaseArgs;
use crate::keys;

/// Derive balances, running balances, hashes, root and signatures again from the log, and name every difference.
///
/// Changes nothing, and may run beside the service. The exit status is 0 when the ledger is sound, 1 when it is not.
#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    /// Verify the export in this folder, which `bitnexus ledger export` wrote, instead of a database.
    #[arg(long, value_name = "FOLDER")]
    export: Option<PathBuf>,
    /// Key that checkpoints are signed with, as `bitnexus ledger key new` printed it. Default: that of `bitnexus up` here.
    #[arg(long, value_name = "VKEY", env = "LEDGER_VERIFIER_KEYS", value_delimiter = ',')]
    key: Vec<String>,
}

/// Verifies the main book, or the one that an export is of.
pub(super) async fn run(args: VerifyArgs) -> Result<ExitCode> {
    let verifiers = keys::verifiers_or(&args.key, &args.database.dir)?;
    let bar = ProgressBar::no_length().with_style(style("verifying"));
    let report = match &args.export {
        Some(folder) => ledger::export::verify(folder, &verifiers, |progress| show(&bar, progress)),
        None => {
            let mut connection = args.database.connect("ledger verify").await?;
            verify(&mut connection, Book::MAIN, &verifiers, |progress| show(&bar, progress)).await
        }
    };
    bar.finish_and_clear();
    let report = report.context("verifying the ledger")?;
    print(&report, !verifiers.is_empty());
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// How progress is shown, by what is being done.
pub(super) fn style(doing: &str) -> ProgressStyle {
    let template = format!("{doing} {{wide_bar}} {{human_pos}}/{{human_len}} transactions, {{per_sec}}, {{eta}} left");
    ProgressStyle::with_template(&template).expect("the template is well formed")
}

/// Shows how far it is.
pub(super) fn show(bar: &ProgressBar, progress: Progress) {
    bar.set_length(progress.leaves_total);
    bar.set_position(progress.leaves);
}

fn print(report: &Report, keys_known: bool) {
    for finding in &report.findings {
        println!("FINDING {finding}");
    }
    if report.findings_left_out > 0 {
        println!("FINDING … and {} more", report.findings_left_out);
    }
    let signatures = match (report.checkpoints, keys_known) {
        (0, _) => "no checkpoint yet".to_owned(),
        (checkpoints, true) => format!("{} of {checkpoints} checkpoints signed by a known key", report.signatures),
        (checkpoints, false) => format!("{checkpoints} checkpoints, signatures not checked: no --key given"),
    };
    let cosignatures = match report.cosignatures {
        0 => String::new(),
        kept => format!(", {kept} cosignatures of witnesses"),
    };
    let root: String = report.root.iter().map(|byte| format!("{byte:02x}")).collect();
    println!(
        "{} transactions, {} entries, {} accounts, {} refusals; {signatures}{cosignatures}\nroot {root}\n{}",
        report.leaves,
        report.entries,
        report.accounts,
        report.refusals,
        if report.is_clean() { "the ledger is sound" } else { "THE LEDGER IS NOT SOUND" },
    );
}
