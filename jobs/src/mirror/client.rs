//! The Erlang ledger as its clients call it: `ledger_server:record_transaction/1` and `ledger_server:get_history/1`, on one
//! connection that is made when it is first needed and again when it has ended.

use std::sync::Arc;
use std::time::Duration;

use ledger::AccountId;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use super::metrics::{self, REQUEST_SECONDS};
use super::node::{Address, CallError, ConnectError, Node};
use super::term::Term;
use super::transaction::Told;

/// The module of the Erlang ledger.
const MODULE: &str = "ledger_server";
const RECORD: &str = "record_transaction";
const HISTORY: &str = "get_history";

/// How many transactions one call records.
pub(crate) const BATCH: usize = 64;

/// Attempts to connect are so far apart: the first two, and at most.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// For how long it is tried before somebody is told.
const CONNECT_FOR: Duration = Duration::from_secs(3);
/// How long a history may take.
const HISTORY_PATIENCE: Duration = Duration::from_secs(30);

/// An Erlang ledger.
#[derive(Debug)]
pub struct Mirror {
    address: Address,
    patience: Duration,
    link: Mutex<Option<Arc<Node>>>,
}

/// What the Erlang ledger says to one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It has recorded it.
    Recorded,
    /// It had recorded it before.
    Exists,
    /// It does not record it, and says this.
    Refused(String),
}

impl Mirror {
    /// The ledger of the node at this address; calls that record wait a second for their answer.
    pub fn new(address: Address) -> Mirror {
        Mirror { address, patience: Duration::from_secs(1), link: Mutex::new(None) }
    }

    /// The node's whole name.
    pub fn node(&self) -> String {
        self.address.node()
    }

    /// The connection, and whether it is a new one. A node that does not answer is tried for a few seconds.
    pub(crate) async fn connection(&self) -> Result<(Arc<Node>, bool), ConnectError> {
        let mut link = self.link.lock().await;
        if let Some(node) = link.as_ref().filter(|node| !node.is_ended()) {
            return Ok((node.clone(), false));
        }
        *link = None;
        let (began, mut pause) = (Instant::now(), PAUSE_MIN);
        loop {
            match Node::connect(&self.address).await {
                Ok(node) => {
                    let node = link.insert(Arc::new(node));
                    tracing::info!(node = %self.address.node(), "connected to the Erlang ledger");
                    return Ok((node.clone(), true));
                }
                Err(ConnectError::Down(_)) if began.elapsed() < CONNECT_FOR => sleep(pause).await,
                Err(error) => return Err(error),
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Records transactions in their order, all in one call, and returns what the ledger says to each.
    ///
    /// `lists:map` with the ledger's own function does so: one process of the node goes through the list, so there is an
    /// order however the ledger is built. Calls side by side would each have a process.
    pub(crate) async fn record(&self, node: &Node, transactions: &[Told]) -> Result<Vec<Answer>, CallError> {
        assert!((1..=BATCH).contains(&transactions.len()), "a call records some transactions, and not too many");
        let maps = transactions.iter().map(|transaction| transaction.map.clone()).collect();
        let function = Term::Export(MODULE.to_owned(), RECORD.to_owned(), 1);
        let began = Instant::now();
        let answered = node.call("lists", "map", vec![function, Term::List(maps)], self.patience).await;
        ::metrics::histogram!(REQUEST_SECONDS.name).record(began.elapsed());
        let answers = match answered {
            Ok(Term::List(answers)) if answers.len() == transactions.len() => answers,
            Ok(other) => return Err(CallError::Failed(format!("it answers {other}"))),
            Err(error) => {
                metrics::sent("failed", transactions.len());
                return Err(error);
            }
        };
        let answers: Vec<Answer> = answers.iter().map(answer).collect();
        let count = |wanted: fn(&Answer) -> bool| answers.iter().filter(|answer| wanted(answer)).count();
        metrics::sent("recorded", count(|answer| *answer == Answer::Recorded));
        metrics::sent("exists", count(|answer| *answer == Answer::Exists));
        metrics::sent("refused", count(|answer| matches!(answer, Answer::Refused(_))));
        Ok(answers)
    }

    /// What the ledger has recorded of an account.
    pub(crate) async fn history(&self, node: &Node, account: AccountId) -> Result<Vec<Term>, CallError> {
        let account = Term::text(account.to_string());
        match node.call(MODULE, HISTORY, vec![account], HISTORY_PATIENCE).await? {
            Term::List(transactions) => Ok(transactions),
            Term::Tuple(mut parts) if parts.len() == 2 && parts[0].is_atom("ok") => match parts.remove(1) {
                Term::List(transactions) => Ok(transactions),
                other => Err(CallError::Failed(format!("{HISTORY} answers {other}"))),
            },
            other => Err(CallError::Failed(format!("{HISTORY} answers {other}"))),
        }
    }
}

/// `ok` and `{ok, _}` say that it is recorded, `exists` and `{ok, exists}` that it was; whatever else there is says no.
fn answer(term: &Term) -> Answer {
    match term {
        term if term.is_atom("ok") => Answer::Recorded,
        term if term.is_atom("exists") => Answer::Exists,
        Term::Tuple(parts) if parts.len() == 2 && parts[0].is_atom("ok") => {
            if parts[1].is_atom("exists") {
                Answer::Exists
            } else {
                Answer::Recorded
            }
        }
        other => Answer::Refused(other.to_string()),
    }
}
