//! Flags of the witnesses that sign the ledger's checkpoints: who they are, and where.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, anyhow};
use clap::Args;
use jobs::witness::{Place, Witnesses};

use crate::tls::authorities;

/// Witnesses that workers ask to sign.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Witnesses")]
pub struct WitnessesArgs {
    /// A witness that is to sign that the ledger's log only grows: its key as it printed it, `@`, and its address without
    /// `/add-checkpoint`; once for each, or with commas between. Default: none.
    #[arg(long = "ledger-witness", value_name = "VKEY@URL", env = "LEDGER_WITNESSES", value_delimiter = ',')]
    ledger_witnesses: Vec<String>,
    /// File with certificates of authorities, as PEM, that witnesses may have theirs from beside those that browsers know.
    #[arg(long, value_name = "FILE", env = "LEDGER_WITNESS_CA_FILE")]
    ledger_witness_ca_file: Option<PathBuf>,
}

impl WitnessesArgs {
    /// The witnesses, if some are configured.
    ///
    /// # Errors
    /// When one is not well formed, two have the same key, or the file is none of certificates.
    pub fn witnesses(&self) -> Result<Option<Witnesses>> {
        let flag = |text: &str| format!("--ledger-witness (LEDGER_WITNESSES): `{text}`");
        let is_one = |text: &&str| !text.is_empty();
        let texts = self.ledger_witnesses.iter().map(|text| text.trim()).filter(is_one);
        let places: Result<Vec<Place>> = texts.map(|text| text.parse().with_context(|| flag(text))).collect();
        let file = self.ledger_witness_ca_file.as_deref();
        let authorities = authorities("--ledger-witness-ca-file (LEDGER_WITNESS_CA_FILE)", file)?;
        Witnesses::new(places?, authorities).map_err(|key| anyhow!("{}: two witnesses have this key", flag(&key)))
    }

    /// Gives another process of this program the same.
    pub fn pass_on(&self, command: &mut Command) {
        if !self.ledger_witnesses.is_empty() {
            command.env("LEDGER_WITNESSES", self.ledger_witnesses.join(","));
        }
        if let Some(file) = &self.ledger_witness_ca_file {
            command.env("LEDGER_WITNESS_CA_FILE", file);
        }
    }
}
