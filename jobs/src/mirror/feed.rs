//! Tells the Erlang ledger what ours has recorded since: a round of a few seconds, page by page.
//!
//! A page is sent in calls of up to [`BATCH`] transactions, one call after the other, while the next page is read; then the
//! position moves, in the job's own transaction, which a process that has lost the job cannot commit. What was sent and not
//! written down is sent again, and the Erlang ledger knows it by its id.

use std::sync::Arc;
use std::time::Duration;

use domain::mirror::{self, NodeState};
use ledger::Book;
use queue::{JobContext, JobError};
use sqlx::PgPool;
use tokio::time::{Instant, sleep};

use super::client::{Answer, BATCH, Mirror};
use super::node::{CallError, ConnectError, Node};
use super::transaction::{Told, id_of};

/// How many transactions are read, and confirmed by one commit.
const PAGE: i64 = 1_024;
/// How long a round lasts; a process that is to end waits for it.
const ROUND: Duration = Duration::from_secs(5);
/// How often it is looked for something new when there is nothing.
const POLL: Duration = Duration::from_millis(100);
/// How long the next round waits when this one could not go on.
const PAUSE: Duration = Duration::from_secs(2);
/// Where it is looked for a transaction that has legs, to see whether the node still has it.
const PROBE: i64 = 64;

/// What became of a round.
#[derive(Debug)]
pub(crate) enum Round {
    /// The next one may begin at once.
    Over,
    /// The node lacks what it had confirmed; a comparison finds out what, and the next round comes after this time.
    Lacking(Duration),
    /// The node is not able; the next round comes after this time.
    Wait(Duration),
}

/// Why it does not go on: how the node is, and in words.
struct Stop(NodeState, String);

impl From<ConnectError> for Stop {
    fn from(error: ConnectError) -> Stop {
        let state = match error {
            ConnectError::Down(_) => NodeState::Down,
            ConnectError::Slow(_) => NodeState::Slow,
            ConnectError::Refused(_) => NodeState::Refused,
        };
        Stop(state, error.to_string())
    }
}

impl From<CallError> for Stop {
    fn from(error: CallError) -> Stop {
        let state = match &error {
            CallError::Timeout(_) => NodeState::Slow,
            // There is such a node, and no such ledger on it.
            CallError::Failed(why) if why.contains("undef") => NodeState::Refused,
            CallError::Failed(_) | CallError::Lost(_) => NodeState::Down,
        };
        Stop(state, error.to_string())
    }
}

/// Tells what there is to tell for some seconds, and writes down how the node is.
pub(crate) async fn round(ctx: &mut JobContext<'_>, mirror: &Mirror, book: Book) -> Result<Round, JobError> {
    let name = mirror.node();
    let seen = mirror::see(&mut *ctx.pool().acquire().await?, book, &name).await?;
    let is_diverged = seen.state == NodeState::Diverged.as_str();
    let node = match mirror.connection().await {
        Ok((node, is_new)) if is_new || is_diverged || seen.state == NodeState::Down.as_str() => {
            match has_last(mirror, &node, ctx.pool(), book, seen.position).await {
                Ok(Ok(true)) => node,
                Ok(Ok(false)) => {
                    let why = format!("it lacks what it had confirmed; leaf {} is the next", seen.position);
                    stop(ctx, mirror, book, Stop(NodeState::Diverged, why)).await?;
                    return Ok(Round::Lacking(PAUSE));
                }
                Ok(Err(error)) => return stop(ctx, mirror, book, error.into()).await,
                Err(error) => return Err(error.into()),
            }
        }
        Ok((node, _)) => node,
        Err(error) => return stop(ctx, mirror, book, error.into()).await,
    };
    let mut feeding = Feeding { mirror, node, book, position: seen.position, is_told: false };
    match feeding.feed(ctx).await? {
        None => Ok(Round::Over),
        Some(why) => stop(ctx, mirror, book, why).await,
    }
}

/// Writes down why it does not go on.
async fn stop(ctx: &mut JobContext<'_>, mirror: &Mirror, book: Book, stop: Stop) -> Result<Round, JobError> {
    let Stop(state, why) = stop;
    tracing::warn!(node = %mirror.node(), state = state.as_str(), why, "the Erlang ledger is behind");
    mirror::set_state(ctx.tx().await?, book, &mirror.node(), (state, Some(&why))).await?;
    ctx.commit_step(&()).await?;
    Ok(Round::Wait(PAUSE))
}

/// Whether the node still has the last transaction that it has confirmed and that moved something.
async fn has_last(
    mirror: &Mirror,
    node: &Node,
    pool: &PgPool,
    book: Book,
    position: i64,
) -> sqlx::Result<Result<bool, CallError>> {
    let mut conn = pool.acquire().await?;
    let from = (position - PROBE).max(0);
    let leaves = mirror::leaves(&mut conn, book, from, position - from).await?;
    let Some(last) = leaves.iter().map(Told::of).rfind(|told| !told.accounts.is_empty()) else { return Ok(Ok(true)) };
    let ids: Vec<_> = last.accounts.iter().map(|account| account.0).collect();
    let accounts = mirror::accounts_of(&mut conn, book, &ids).await?;
    drop(conn);
    let Some(shortest) = accounts.first() else { return Ok(Ok(true)) };
    let history = mirror.history(node, shortest.id).await;
    Ok(history.map(|history| history.iter().any(|theirs| id_of(theirs) == Some(last.id))))
}

/// A round that goes on.
struct Feeding<'a> {
    mirror: &'a Mirror,
    node: Arc<Node>,
    book: Book,
    position: i64,
    /// Whether it is written down that the node is connected.
    is_told: bool,
}

impl Feeding<'_> {
    async fn feed(&mut self, ctx: &mut JobContext<'_>) -> Result<Option<Stop>, JobError> {
        let (began, pool) = (Instant::now(), ctx.pool());
        let mut page = read(pool, self.book, self.position).await?;
        while began.elapsed() < ROUND && !ctx.is_cancelled() {
            if page.is_empty() {
                if self.node.is_ended() {
                    return Ok(Some(Stop(NodeState::Down, "the connection ended".to_owned())));
                }
                self.tell_connected(ctx).await?;
                ctx.heartbeat().await?;
                sleep(POLL).await;
                page = read(pool, self.book, self.position).await?;
                continue;
            }
            let after = self.position + page.len() as i64;
            let ((confirmed, stopped), next) = tokio::join!(self.send(&page), read(pool, self.book, after));
            if confirmed > 0 && !self.commit(ctx, confirmed).await? {
                // It was set back: the next round begins there.
                return Ok(None);
            }
            if stopped.is_some() {
                return Ok(stopped);
            }
            page = next?;
        }
        Ok(None)
    }

    /// Sends a page; how many transactions from its beginning on are confirmed, and why not all.
    async fn send(&self, page: &[Told]) -> (i64, Option<Stop>) {
        let mut confirmed = 0;
        for batch in page.chunks(BATCH) {
            let answers = match self.mirror.record(&self.node, batch).await {
                Ok(answers) => answers,
                Err(error) => return (confirmed, Some(error.into())),
            };
            for (told, answer) in batch.iter().zip(answers) {
                if let Answer::Refused(why) = answer {
                    let why = format!("it refuses transaction {} of leaf {}: {why}", told.id, told.seq);
                    return (confirmed, Some(Stop(NodeState::Diverged, why)));
                }
                confirmed += 1;
            }
        }
        (confirmed, None)
    }

    /// Writes down what is confirmed; false if the position was set back meanwhile.
    async fn commit(&mut self, ctx: &mut JobContext<'_>, confirmed: i64) -> Result<bool, JobError> {
        let (name, to) = (self.mirror.node(), self.position + confirmed);
        let tx = ctx.tx().await?;
        let is_ours = mirror::advance(tx, self.book, &name, (self.position, to)).await?;
        if is_ours && !self.is_told {
            mirror::set_state(tx, self.book, &name, (NodeState::Connected, None)).await?;
        }
        ctx.commit_step(&()).await?;
        (self.position, self.is_told) = (to, is_ours);
        Ok(is_ours)
    }

    async fn tell_connected(&mut self, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
        if !self.is_told {
            let (tx, name) = (ctx.tx().await?, self.mirror.node());
            mirror::set_state(tx, self.book, &name, (NodeState::Connected, None)).await?;
            ctx.commit_step(&()).await?;
            self.is_told = true;
        }
        Ok(())
    }
}

async fn read(pool: &PgPool, book: Book, from: i64) -> sqlx::Result<Vec<Told>> {
    let leaves = mirror::leaves(&mut *pool.acquire().await?, book, from, PAGE).await?;
    Ok(leaves.iter().map(Told::of).collect())
}
