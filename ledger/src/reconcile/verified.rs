//! What a full run takes over from [`verify`](crate::verify): each of its findings, under the class that it belongs to.

use super::{Class, Found};
use crate::verify::{Finding, Report};

/// The findings of a verification by class. Those that name an account or a leaf are the same breaks that an incremental
/// run finds.
pub fn of_verification(report: &Report) -> Vec<Found> {
    let found: Vec<Found> = report.findings.iter().map(of_finding).collect();
    assert_eq!(found.len(), report.findings.len(), "each finding has its class");
    found
}

fn of_finding(finding: &Finding) -> Found {
    let detail = finding.to_string();
    let (class, sub_class) = class_of(finding);
    match finding {
        Finding::LeafMissing { seq } | Finding::LeafHash { seq, .. } | Finding::LeafColumn { seq, .. } => {
            Found::leaf(class, sub_class, *seq, detail)
        }
        Finding::Unbalanced { seq, .. } | Finding::LeafEncoding { seq, .. } => {
            Found::leaf(class, sub_class, *seq, detail)
        }
        Finding::Account { account, .. } => Found::account(class, sub_class, *account, detail),
        Finding::TileMissing { level, index } | Finding::Tile { level, index, .. } => {
            Found::new(class, sub_class, ("tile", format!("{level}/{index}")), detail)
        }
        Finding::RefusedAndRecorded { transaction } => {
            Found::new(class, sub_class, ("transaction", transaction.to_string()), detail)
        }
        // The words name what it is about, and are the same each time.
        _ => Found::new(class, sub_class, ("ledger", detail.clone()), detail),
    }
}

/// Its class and sub-class. What is not named here is about the log.
fn class_of(finding: &Finding) -> (Class, &'static str) {
    match finding {
        Finding::LeafMissing { .. } => (Class::R6, "gap"),
        Finding::LeafHash { .. } => (Class::R6, "hash"),
        Finding::TileMissing { .. } | Finding::Tile { .. } | Finding::TileBeyondHead { .. } => (Class::R6, "tile"),
        Finding::Head { .. } => (Class::R6, "head"),
        Finding::LeafEncoding { .. } => (Class::R11, "leaf"),
        Finding::LeafColumn { .. } => (Class::R11, "column"),
        Finding::LegAccount { .. } => (Class::R11, "leg_account"),
        Finding::EntryMissing { .. } => (Class::R11, "entry_missing"),
        Finding::EntryExtra { .. } => (Class::R11, "entry_extra"),
        Finding::Entry { .. } => (Class::R11, "entry"),
        Finding::Unbalanced { .. } => (Class::R1, "leaf"),
        Finding::Bound { .. } => (Class::R5, "leaf"),
        Finding::Account { column: "version", .. } => (Class::R2, "version"),
        Finding::Account { column: "balance", .. } => (Class::R2, "balance"),
        Finding::Account { column: "held_out" | "held_in", .. } => (Class::R4, "held"),
        Finding::Account { .. } => (Class::R11, "account"),
        Finding::Reversal { .. } => (Class::R8, "reversal"),
        Finding::RefusedAndRecorded { .. } => (Class::R8, "refused_too"),
        Finding::Hold { .. }
        | Finding::OpenHoldMissing { .. }
        | Finding::OpenHoldExtra { .. }
        | Finding::OpenHold { .. } => (Class::R4, "log"),
        Finding::RecordedTwice { .. } => (Class::R8, "recorded_twice"),
        Finding::CheckpointSignature { .. } => (Class::R6, "signature"),
        _ => (Class::R6, "log"),
    }
}
