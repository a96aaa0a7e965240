//! Flags of the witnesses that sign the ledger's checkpoints: who they are, and where.

use std::process::Command;

use anyhow::{Context, Result, anyhow};
use clap::Args;
use jobs::witness::{Place, Witnesses};

/// Witnesses that workers ask to sign.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Witnesses")]
pub struct WitnessesArgs {
    /// A witness that is to sign that the ledger's log only grows: its key as it printed it, `@`, and its address without
    /// `/add-checkpoint`; once for each, or with commas between. Default: none.
    #[arg(long = "ledger-witness", value_name = "VKEY@URL", env = "LEDGER_WITNESSES", value_delimiter = ',')]
    ledger_witnesses: Vec<String>,
}

impl WitnessesArgs {
    /// The witnesses, if some are configured.
    ///
    /// # Errors
    /// When one is not well formed, or two have the same key.
    pub fn witnesses(&self) -> Result<Option<Witnesses>> {
        let flag = |text: &str| format!("--ledger-witness (LEDGER_WITNESSES): `{text}`");
        let is_one = |text: &&str| !text.is_empty();
        let texts = self.ledger_witnesses.iter().map(|text| text.trim()).filter(is_one);
        let places: Result<Vec<Place>> = texts.map(|text| text.parse().with_context(|| flag(text))).collect();
        Witnesses::new(places?).map_err(|key| anyhow!("{}: two witnesses have this key", flag(&key)))
    }

    /// Gives another process of this program the same.
    pub fn pass_on(&self, command: &mut Command) {
        if !self.ledger_witnesses.is_empty() {
            command.env("LEDGER_WITNESSES", self.ledger_witnesses.join(","));
        }
    }
}
