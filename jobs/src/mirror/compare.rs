//! R10 for the mirror: the histories of the Erlang ledger with ours, both ways, account by account.
//!
//! An incremental run looks at the accounts of what was confirmed last; if the node lacks something, or did so before, and in
//! a full run, all accounts are compared. What the node lacks is told to it again from there on, which repairs it: it knows
//! by the id what it has.

use std::collections::HashMap;

use domain::mirror::{self, Account, NodeState, Seen};
use domain::reconciliation::gone::{Looked, close_gone};
use domain::reconciliation::{self, breaks};
use ledger::client::LedgerClient;
use ledger::history::LIMIT_MAX;
use ledger::leaf::Leaf;
use ledger::reconcile::{Class, Found, Page, Place};
use ledger::{AccountId, Book};
use queue::JobError;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::client::Mirror;
use super::node::Node;
use super::term::Term;
use super::transaction::{Told, id_of};

/// Accounts of one page.
const ACCOUNTS: i64 = 50;
/// What was confirmed last, as far as an incremental run looks.
const LAST: i64 = 64;
/// Accounts with more entries are not asked for: each transaction is on another, shorter one too.
const ENTRIES_MAX: i64 = 50_000;
/// Of one page, so many differences are kept.
const FOUND_MAX: usize = 1_000;

/// What one page came to.
#[derive(Debug, Default)]
pub(crate) struct Compared {
    /// Differences, and where to go on.
    pub(crate) page: Page,
    /// Differences that were left out.
    pub(crate) left_out: u64,
    /// The first leaf that the node had confirmed and lacks.
    first_missing: Option<i64>,
    outcome: Outcome,
}

/// How far the comparison got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Outcome {
    /// There is more to do.
    #[default]
    Part,
    /// What was confirmed last is there.
    Last,
    /// All accounts were compared.
    All,
    /// The node could not be asked.
    Failed,
}

/// A run that compares.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Task<'a> {
    pub(crate) mirror: &'a Mirror,
    pub(crate) pool: &'a PgPool,
    pub(crate) book: Book,
    pub(crate) run: Uuid,
    pub(crate) is_full: bool,
}

/// Compares the next accounts, on a connection that has no snapshot, as what the node was told last has to be seen, and in no
/// transaction, as nobody waits for the node with a lock in hand.
pub(crate) async fn page(task: &Task<'_>, place: Option<Place>) -> Result<Compared, JobError> {
    let (name, mut conn) = (task.mirror.node(), task.pool.acquire().await?);
    let seen = mirror::see(&mut conn, task.book, &name).await?;
    let node = match task.mirror.connection().await {
        Ok((node, _)) => node,
        Err(error) => return Ok(not_compared(&name, &error.to_string())),
    };
    let (accounts, is_sweep) = match place {
        Some(Place::Id(after)) => (mirror::accounts(&mut conn, task.book, after, ACCOUNTS).await?, true),
        None if task.is_full || seen.state == NodeState::Diverged.as_str() => {
            (mirror::accounts(&mut conn, task.book, Uuid::nil(), ACCOUNTS).await?, true)
        }
        None => (last_accounts(&mut conn, task.book, seen.position).await?, false),
        Some(other) => unreachable!("accounts are gone on with after one of them, not at {other:?}"),
    };
    let mut differences = Differences::default();
    for account in accounts.iter().filter(|account| (1..=ENTRIES_MAX).contains(&account.entries)) {
        if let Err(why) = compare(task, &node, &mut conn, &seen, *account, &mut differences).await? {
            return Ok(not_compared(&name, &why));
        }
    }
    let next = match accounts.last() {
        _ if !is_sweep => differences.first_missing.map(|_| Place::Id(Uuid::nil())),
        Some(last) if accounts.len() as i64 == ACCOUNTS => Some(Place::Id(last.id.0)),
        _ => None,
    };
    let outcome = match &next {
        Some(_) => Outcome::Part,
        None if is_sweep => Outcome::All,
        None => Outcome::Last,
    };
    Ok(differences.into_compared(next, outcome))
}

/// Writes what a page came to into the run's transaction, beside its findings. `is_whole`: none of the run's were left out.
pub(crate) async fn keep(
    task: &Task<'_>,
    tx: &mut PgConnection,
    compared: &Compared,
    is_whole: bool,
) -> Result<(), JobError> {
    reconciliation::keep::keep(&mut *tx, task.book, task.run, &compared.page.found).await?;
    if let Some(first) = compared.first_missing {
        tell_again(task, tx, first).await?;
    }
    let looked_for = match compared.outcome {
        Outcome::All if is_whole => Some("mirror\\_%"),
        Outcome::Last => Some("mirror\\_not\\_compared"),
        Outcome::All | Outcome::Part | Outcome::Failed => None,
    };
    if let Some(like) = looked_for {
        close_gone(&mut *tx, task.book, task.run, Looked::AtMirror(like)).await?;
    }
    if compared.outcome == Outcome::All {
        mirror::compared(tx, task.book, &task.mirror.node()).await?;
    }
    Ok(())
}

/// The accounts of what was confirmed last.
async fn last_accounts(conn: &mut PgConnection, book: Book, position: i64) -> sqlx::Result<Vec<Account>> {
    let from = (position - LAST).max(0);
    let leaves = mirror::leaves(conn, book, from, position - from).await?;
    let mut ids: Vec<Uuid> = leaves.iter().flat_map(|leaf| leaf.legs.iter().map(|leg| leg.account.0)).collect();
    ids.sort_unstable();
    ids.dedup();
    mirror::accounts_of(conn, book, &ids).await
}

fn not_compared(node: &str, why: &str) -> Compared {
    let subject = ("mirror", node.to_owned());
    let found = Found::new(Class::R10, "mirror_not_compared", subject, format!("{node} could not be asked: {why}"));
    let page = Page { found: vec![found], ..Page::default() };
    Compared { page, outcome: Outcome::Failed, ..Compared::default() }
}

/// Has what is missing told again, and writes that into the break's life.
async fn tell_again(task: &Task<'_>, tx: &mut PgConnection, first: i64) -> Result<(), JobError> {
    let name = task.mirror.node();
    let detail = format!("{name} lacks transactions that it had confirmed, leaf {first} the first");
    let found = Found::new(Class::R10, "mirror_missing", ("mirror", name.clone()), detail);
    reconciliation::keep::keep(&mut *tx, task.book, task.run, &[found]).await?;
    if mirror::set_back(&mut *tx, task.book, &name, first).await? {
        tracing::warn!(node = name, first, "the Erlang ledger lacks what it had confirmed, and is told again");
    }
    let why = format!("it is told again from leaf {first} on");
    mirror::set_state(&mut *tx, task.book, &name, (NodeState::Diverged, Some(&why))).await?;
    if let Some(id) = mirror::missing(&mut *tx, task.book, &name).await? {
        breaks::heal(tx, task.book, task.run, id, &why).await.map_err(JobError::retry)?;
    }
    Ok(())
}

/// What was found.
#[derive(Default)]
struct Differences {
    found: Vec<Found>,
    first_missing: Option<i64>,
    scanned: u64,
}

impl Differences {
    fn into_compared(mut self, next: Option<Place>, outcome: Outcome) -> Compared {
        let left_out = self.found.len().saturating_sub(FOUND_MAX) as u64;
        self.found.truncate(FOUND_MAX);
        let page = Page { found: self.found, scanned: self.scanned, next, ..Page::default() };
        Compared { page, left_out, first_missing: self.first_missing, outcome }
    }

    /// A history by id.
    fn by_id<'a>(&mut self, account: AccountId, history: &'a [Term]) -> HashMap<Uuid, &'a Term> {
        let mut by_id = HashMap::with_capacity(history.len());
        for transaction in history {
            match id_of(transaction) {
                None => {
                    let what = format!("the mirror's history of account {account} has something without an id");
                    self.push("mirror_unknown", account.to_string(), what);
                }
                Some(id) if by_id.insert(id, transaction).is_some() => {
                    self.push("mirror_twice", id.to_string(), format!("the mirror has transaction {id} twice"));
                }
                Some(_) => {}
            }
        }
        by_id
    }

    /// One of ours, and what the mirror has of it; `position` is the first leaf that it need not have.
    fn compare(&mut self, leaf: &Leaf, theirs: Option<&Term>, position: i64) {
        self.scanned += 1;
        match theirs {
            None if leaf.seq < position => {
                let first = self.first_missing.unwrap_or(leaf.seq);
                self.first_missing = Some(first.min(leaf.seq));
            }
            None => {}
            Some(theirs) => {
                if let Some(member) = Told::of(leaf).differs_from(theirs) {
                    let what = format!("the mirror has another {member} for the transaction of leaf {}", leaf.seq);
                    self.push("mirror_differs", leaf.id.to_string(), what);
                }
            }
        }
    }

    fn push(&mut self, sub_class: &'static str, id: String, detail: String) {
        self.found.push(Found::new(Class::R10, sub_class, ("transaction", id), detail));
    }
}

/// Compares one account; why the node could not be asked, if it could not.
///
/// Theirs is read first, so that whatever they have been told is in ours; what is beyond the position may be in theirs or not.
async fn compare(
    task: &Task<'_>,
    node: &Node,
    conn: &mut PgConnection,
    seen: &Seen,
    account: Account,
    differences: &mut Differences,
) -> Result<Result<(), String>, JobError> {
    let history = match task.mirror.history(node, account.id).await {
        Ok(history) => history,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let mut theirs = differences.by_id(account.id, &history);
    let (client, mut before) = (LedgerClient::new(task.book), None);
    loop {
        let ours = client.get_transaction_history(conn, &[account.id], before, LIMIT_MAX).await?;
        for leaf in &ours.transactions {
            differences.compare(leaf, theirs.remove(&leaf.id.0), seen.position);
        }
        before = ours.next;
        if before.is_none() {
            break;
        }
    }
    for id in theirs.keys() {
        differences.push("mirror_unknown", id.to_string(), unknown(account.id, *id));
    }
    Ok(Ok(()))
}

fn unknown(account: AccountId, id: Uuid) -> String {
    format!("the mirror's history of account {account} has transaction {id}, which is not in ours")
}
