//! Reconciliations, breaks and statements.

pub(crate) mod page;

use chrono::{DateTime, NaiveDate, Utc};
use domain::reconciliation::breaks::{Break, Change};
use domain::reconciliation::report::hex;
use domain::reconciliation::runs::Run;
use domain::reconciliation::statements::Statement;
use ledger::Currency;
use ledger::reconcile::Class;
use poem_openapi::Object;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::money::MoneyView;
use crate::body::choice::{Choice, choice};

choice! {
    /// How much a run checks.
    pub(crate) enum Kind {
        /// Everything.
        Full = "full",
        /// What came since the last verified size.
        Incremental = "incremental",
    }
}

choice! {
    /// How far a run is.
    pub(crate) enum RunState {
        /// It has not begun.
        Waiting = "waiting",
        /// It goes on.
        Running = "running",
        /// It has ended, and no break is open.
        Clean = "clean",
        /// It has ended, and breaks are open.
        Breaks = "breaks",
    }
}

choice! {
    /// What became of a break.
    pub(crate) enum BreakState {
        /// Nobody looks after it.
        Open = "open",
        /// Somebody does.
        Assigned = "assigned",
        /// It is no more.
        Resolved = "resolved",
        /// It stays, and that is accepted.
        WrittenOff = "written_off",
    }
}

choice! {
    /// How grave a break is.
    pub(crate) enum SeverityName {
        /// Within a week.
        Low = "low",
        /// Within five days.
        Medium = "medium",
        /// Within two days.
        High = "high",
        /// Within a day.
        Critical = "critical",
    }
}

choice! {
    /// The check that finds a break.
    pub(crate) enum ClassName {
        /// Debits equal credits.
        R1 = "R1",
        /// Balances equal the sums of entries.
        R2 = "R2",
        /// Entries follow one from the other.
        R3 = "R3",
        /// What is held equals the open holds.
        R4 = "R4",
        /// Bounds are kept.
        R5 = "R5",
        /// The log is whole and goes on from what was signed.
        R6 = "R6",
        /// Each request has one outcome, each recorded transaction its request.
        R7 = "R7",
        /// An id means one thing.
        R8 = "R8",
        /// Clearing accounts net to nothing.
        R9 = "R9",
        /// Statements of others say the same.
        R10 = "R10",
        /// Secondary tables and indexes say the same.
        R11 = "R11",
        /// Breaks of earlier runs are carried forward.
        R12 = "R12",
    }
}

/// What a run found of one class.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "ReconciliationClass")]
pub(crate) struct ClassView {
    /// The check.
    pub class: ClassName,
    /// What it compares.
    pub title: String,
    /// Breaks that it found.
    pub found: i64,
    /// Those of them that are new, or open again.
    pub new: i64,
    /// What they add up to in each currency.
    pub amounts: Vec<MoneyView>,
}

/// A run of the checks R1 to R12.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "Reconciliation")]
pub(crate) struct ReconciliationView {
    /// Its identifier, which is that of its job.
    pub id: Uuid,
    /// How much it checks.
    pub kind: Kind,
    /// Whether it may repair.
    pub repair: bool,
    /// How far it is.
    pub state: RunState,
    /// The check that it is at.
    pub step: Option<String>,
    /// Who asked for it.
    pub asked_by: String,
    /// When it was asked for.
    pub asked_at: DateTime<Utc>,
    /// Leaves that an earlier run verified.
    pub from_size: i64,
    /// Leaves of the log as of this run.
    pub size: Option<i64>,
    /// The root over them, in hexadecimal.
    pub root: Option<String>,
    /// Snapshots that it read: one, and one more for each time that it was resumed.
    pub snapshots: i32,
    /// Rows that it looked at.
    pub scanned: i64,
    /// Findings beyond the most that are kept.
    pub left_out: i64,
    /// Breaks of earlier runs that are open still and that it did not find.
    pub carried: i32,
    /// Open breaks that it looked for and found no more.
    pub gone: i32,
    /// Breaks that it repaired.
    pub healed: i32,
    /// What it found of each class; empty until it has ended.
    pub classes: Vec<ClassView>,
    /// SHA-256 of the report, in hexadecimal.
    pub digest: Option<String>,
    /// When it began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
}

impl From<&Run> for ReconciliationView {
    fn from(run: &Run) -> ReconciliationView {
        ReconciliationView {
            id: run.id,
            kind: Choice::named(&run.kind),
            repair: run.repair,
            state: Choice::named(&run.state),
            step: run.step.clone(),
            asked_by: run.asked_by.clone(),
            asked_at: run.asked_at,
            from_size: run.from_size,
            size: run.size,
            root: run.root.as_deref().map(hex),
            snapshots: run.snapshots,
            scanned: run.scanned,
            left_out: run.left_out,
            carried: run.carried,
            gone: run.gone,
            healed: run.healed,
            classes: classes(&run.classes),
            digest: run.digest.as_deref().map(hex),
            started_at: run.started_at,
            ended_at: run.ended_at,
        }
    }
}

/// The classes of a run that has ended, in their order.
pub(crate) fn classes(found: &Value) -> Vec<ClassView> {
    let view = |class: Class| {
        let of = found.get(class.as_str())?;
        let amounts = of["amounts"].as_object().into_iter().flatten();
        Some(ClassView {
            class: Choice::named(class.as_str()),
            title: class.title().to_owned(),
            found: of["found"].as_i64().unwrap_or_default(),
            new: of["new"].as_i64().unwrap_or_default(),
            amounts: amounts.filter_map(|(currency, amount)| money(amount.as_str()?.parse().ok()?, currency)).collect(),
        })
    };
    Class::ALL.into_iter().filter_map(view).collect()
}

fn money(minor: i128, currency: &str) -> Option<MoneyView> {
    Currency::parse(currency).ok().map(|currency| MoneyView::of(minor, currency))
}

/// A change of a break's state.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "BreakChange")]
pub(crate) struct ChangeView {
    /// The state before; null at the beginning.
    pub from_state: Option<BreakState>,
    /// The state after.
    pub to_state: BreakState,
    /// A user's id, or the run that did it.
    pub who: String,
    /// Why.
    pub why: String,
    /// When.
    pub changed_at: DateTime<Utc>,
}

impl From<&Change> for ChangeView {
    fn from(change: &Change) -> ChangeView {
        ChangeView {
            from_state: change.from_state.as_deref().map(Choice::named),
            to_state: Choice::named(&change.to_state),
            who: change.who.clone(),
            why: change.why.clone(),
            changed_at: change.changed_at,
        }
    }
}

/// Something that does not agree.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "Break")]
pub(crate) struct BreakView {
    /// Its identifier.
    pub id: Uuid,
    /// The check that found it.
    pub class: ClassName,
    /// What exactly does not agree.
    pub sub_class: String,
    /// By class, amount and age, as of the last run.
    pub severity: SeverityName,
    /// What it is about: account, transaction, leaf and so on.
    pub subject_kind: String,
    /// The name of that.
    pub subject: String,
    /// The difference.
    pub amount: Option<MoneyView>,
    /// The difference in words.
    pub detail: String,
    /// What became of it.
    pub state: BreakState,
    /// Who looks after it.
    pub assignee: Option<String>,
    /// Why it was closed.
    pub resolution: Option<String>,
    /// The run that found it first.
    pub first_reconciliation_id: Uuid,
    /// The last run that found it.
    pub last_reconciliation_id: Uuid,
    /// How many runs found it.
    pub seen: i64,
    /// When it was found first: its age counts from here.
    pub first_seen_at: DateTime<Utc>,
    /// When it was found last.
    pub last_seen_at: DateTime<Utc>,
    /// When a run repaired it.
    pub healed_at: Option<DateTime<Utc>>,
    /// Its life, oldest change first; only of a single break.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changes: Option<Vec<ChangeView>>,
}

impl BreakView {
    /// A break, with its life where that was read.
    pub(crate) fn of(found: &Break, changes: Option<&[Change]>) -> BreakView {
        BreakView {
            id: found.id,
            class: Choice::named(&found.class),
            sub_class: found.sub_class.clone(),
            severity: Choice::named(&found.severity),
            subject_kind: found.subject_kind.clone(),
            subject: found.subject.clone(),
            amount: found.amount.zip(found.currency.as_deref()).and_then(|(minor, of)| money(minor.into(), of)),
            detail: found.detail.clone(),
            state: Choice::named(&found.state),
            assignee: found.assignee.clone(),
            resolution: found.resolution.clone(),
            first_reconciliation_id: found.first_run,
            last_reconciliation_id: found.last_run,
            seen: found.seen,
            first_seen_at: found.first_seen_at,
            last_seen_at: found.last_seen_at,
            healed_at: found.healed_at,
            changes: changes.map(|changes| changes.iter().map(ChangeView::from).collect()),
        }
    }
}

/// What somebody else says of an account over a time.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "Statement")]
pub(crate) struct StatementView {
    /// Its identifier.
    pub id: Uuid,
    /// What people call it.
    pub name: String,
    /// The account that it is about.
    pub account_id: Uuid,
    /// The first day.
    pub period_from: NaiveDate,
    /// The last day.
    pub period_to: NaiveDate,
    /// The balance before the first day.
    pub opening: MoneyView,
    /// The balance after the last day.
    pub closing: MoneyView,
    /// How many lines it has.
    pub lines: i32,
    /// How many of them are matched; null until a reconciliation has tried.
    pub matched_lines: Option<i32>,
    /// When it was matched last.
    pub matched_at: Option<DateTime<Utc>>,
    /// Who brought it.
    pub imported_by: String,
    /// When.
    pub imported_at: DateTime<Utc>,
}

impl From<&Statement> for StatementView {
    fn from(statement: &Statement) -> StatementView {
        let currency = Currency::parse(&statement.currency).expect("only known currencies are written");
        StatementView {
            id: statement.id,
            name: statement.name.clone(),
            account_id: statement.account_id,
            period_from: statement.period_from,
            period_to: statement.period_to,
            opening: MoneyView::of(statement.opening.into(), currency),
            closing: MoneyView::of(statement.closing.into(), currency),
            lines: statement.lines,
            matched_lines: statement.matched_lines,
            matched_at: statement.matched_at,
            imported_by: statement.imported_by.clone(),
            imported_at: statement.imported_at,
        }
    }
}
