//! Transactions on their way into the ledger: sent in batches, several at a time, and followed until each is final.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use futures::stream::{self, TryStreamExt};
use indicatif::ProgressBar;
use reqwest::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use super::client::{Answer, Client};
use super::wire::{Batch, Item};

/// The pause before the first look at what is pending; doubled while nothing moves.
const LOOK_AGAIN_MIN: Duration = Duration::from_millis(20);
/// The longest such pause.
const LOOK_AGAIN_MAX: Duration = Duration::from_secs(1);

/// One transaction to be created.
#[derive(Debug)]
pub struct Order {
    /// The line of the file it is made from; 0 for an opening deposit.
    pub line: u64,
    /// The request. Its `reference` makes sending it again harmless.
    pub body: Value,
    /// How far it has come.
    pub fate: Fate,
    /// Whether the API had it already when it was sent.
    pub existed: bool,
}

/// How far a transaction has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// Not yet accepted by the API.
    Unsent,
    /// Accepted, not yet in the ledger.
    Pending(Uuid),
    /// In the ledger.
    Recorded(Uuid),
    /// Accepted, then refused by the ledger with this reason.
    Rejected(Uuid, String),
    /// Refused by the API with this code.
    Refused(String),
}

impl Order {
    /// A transaction that nobody has seen yet.
    pub fn new(line: u64, body: Value) -> Order {
        Order { line, body, fate: Fate::Unsent, existed: false }
    }

    /// Its id, if the API accepted it.
    pub fn id(&self) -> Option<Uuid> {
        match self.fate {
            Fate::Pending(id) | Fate::Recorded(id) | Fate::Rejected(id, _) => Some(id),
            Fate::Unsent | Fate::Refused(_) => None,
        }
    }

    fn is_final(&self) -> bool {
        !matches!(self.fate, Fate::Unsent | Fate::Pending(_))
    }
}

/// How transactions are sent.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Transactions in a request.
    pub batch: usize,
    /// Requests at a time.
    pub in_flight: usize,
}

/// Sends all of `orders`, then waits until each is recorded, rejected or refused. `bar` counts those that are sent.
///
/// # Errors
/// When the API does not answer or answers something unknown, or the workers make no progress for too long.
pub async fn carry_out(client: &Client, orders: &mut [Order], pace: Pace, bar: &ProgressBar) -> Result<()> {
    let batches = stream::iter(orders.chunks_mut(pace.batch).map(Ok));
    batches.try_for_each_concurrent(pace.in_flight, |batch| first_send(client, batch, bar)).await?;
    for batch in orders.chunks_mut(pace.batch) {
        follow(client, batch).await?;
    }
    Ok(())
}

async fn first_send(client: &Client, batch: &mut [Order], bar: &ProgressBar) -> Result<()> {
    send(client, batch).await?;
    bar.inc(batch.len() as u64);
    Ok(())
}

/// Sends what is pending again, which asks how it stands, until nothing of the batch is.
async fn follow(client: &Client, batch: &mut [Order]) -> Result<()> {
    let (mut moved_at, mut pause) = (Instant::now(), LOOK_AGAIN_MIN);
    loop {
        let open = batch.iter().filter(|order| !order.is_final()).count();
        if open == 0 {
            return Ok(());
        }
        tokio::time::sleep(pause).await;
        send(client, batch).await?;
        if batch.iter().filter(|order| !order.is_final()).count() < open {
            (moved_at, pause) = (Instant::now(), LOOK_AGAIN_MIN);
        } else if moved_at.elapsed() > client.give_up_after() {
            bail!("{open} transactions stay pending: no worker seems to be running");
        } else {
            pause = (pause * 2).min(LOOK_AGAIN_MAX);
        }
    }
}

/// One round trip for all of `batch` that is not final. Items that make the whole request invalid are refused
/// by themselves, and the rest is sent again without them.
async fn send(client: &Client, batch: &mut [Order]) -> Result<()> {
    loop {
        let mut open: Vec<&mut Order> = batch.iter_mut().filter(|order| !order.is_final()).collect();
        if open.is_empty() {
            return Ok(());
        }
        let bodies: Vec<&Value> = open.iter().map(|order| &order.body).collect();
        let answer = client.post("transactions/batch", &json!({ "transactions": bodies })).await?;
        match answer.status {
            StatusCode::ACCEPTED | StatusCode::OK => return take(&mut open, answer.json()?),
            StatusCode::UNPROCESSABLE_ENTITY => refuse_invalid(&mut open, &answer)?,
            _ => bail!("the API refused a batch of transactions: {}", answer.describe()),
        }
    }
}

fn take(open: &mut [&mut Order], batch: Batch) -> Result<()> {
    ensure!(batch.items.len() == open.len(), "{} answers to {} transactions", batch.items.len(), open.len());
    for item in batch.items {
        let order = open.get_mut(item.index).context("an answer to a transaction that was not sent")?;
        if order.fate == Fate::Unsent {
            order.existed = item.outcome == "exists";
        }
        order.fate = fate(item)?;
    }
    Ok(())
}

fn fate(item: Item) -> Result<Fate> {
    if item.outcome == "refused" {
        return Ok(Fate::Refused(item.problem.unwrap_or_default().code));
    }
    let transaction = item.transaction.context("an accepted transaction is missing from the answer")?;
    Ok(match transaction.status.as_str() {
        "recorded" => Fate::Recorded(transaction.id),
        "rejected" => Fate::Rejected(transaction.id, transaction.reason.unwrap_or_default()),
        _ => Fate::Pending(transaction.id),
    })
}

/// Marks the items that a 422 points at, as in `/transactions/3/amount`.
fn refuse_invalid(open: &mut [&mut Order], answer: &Answer) -> Result<()> {
    let mut marked = false;
    for error in answer.problem().errors {
        let index = error.pointer.strip_prefix("/transactions/").and_then(|rest| rest.split('/').next()?.parse().ok());
        if let Some(order) = index.and_then(|index: usize| open.get_mut(index)) {
            order.fate = Fate::Refused(error.code);
            marked = true;
        }
    }
    ensure!(marked, "the API refused a batch of transactions: {}", answer.describe());
    Ok(())
}
