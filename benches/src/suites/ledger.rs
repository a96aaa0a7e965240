//! The ledger: postings by the one writer that a book has, and what they cost; beside the SQL of others if asked.

mod book;
mod grown;
mod merkle;
mod post;
mod proof;
mod receipts;
mod rivals;
mod size;

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::report::Report;
use crate::server::Server;

pub(crate) use book::fund;

/// How much to measure.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Smaller amounts.
    pub(crate) quick: bool,
    /// A folder with the SQL that others publish, see rivals.rs.
    pub(crate) rivals: Option<PathBuf>,
}

impl Plan {
    /// Transfers of one measurement.
    fn transfers(&self) -> usize {
        if self.quick { 50_000 } else { 300_000 }
    }

    /// Entries that a grown book has.
    fn entries_before(&self) -> usize {
        if self.quick { 400_000 } else { 10_000_000 }
    }
}

/// Adds the figures whose names begin with `ledger.`.
pub(crate) async fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    let server = Server::bare(&[]).await?;
    post::measure(plan, &server, report).await.context("postings")?;
    size::measure(plan, &server, report).await.context("sizes")?;
    merkle::measure(&server, report).await.context("the tree")?;
    proof::measure(plan, &server, report).await.context("the proof")?;
    if let Some(folder) = &plan.rivals {
        rivals::measure(plan, &server, folder, report).await;
    }
    grown::measure(plan, &server, report).await.context("a grown book")
}
