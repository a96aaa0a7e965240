//! The queue's own pools, and the queue behind a proxy that pools connections by transaction: no session of its own, no LISTEN.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

use queue::inspect::JobState;
use queue::{Job, JobContext, JobError, Kept, NewJob, Registry, Retry};
use serde::{Deserialize, Serialize};
use sqlx::{Connection, Executor, PgPool};
use tests::bouncer::Bouncer;
use tests::database::Database;

use super::support::{Act, Worker, count, effects, enqueue, make_effects, reaches, together, told, waits_for};

/// A pool whose connections lead through a transaction pool of 3: fewer than the worker has tasks, so that each statement
/// may meet another connection than the one before. None, and the reason printed, where there is no such proxy.
async fn pooled(database: &Database) -> Option<(PgPool, Bouncer)> {
    let options = database.options();
    let socket = options.get_socket().expect("the tests' server has a socket").clone();
    match Bouncer::start(&socket, 3).await {
        Ok(bouncer) => {
            let pool = queue::pool_options().max_connections(10);
            Some((pool.connect_with(bouncer.before(options)).await.unwrap(), bouncer))
        }
        Err(missing) => {
            println!("skipped: {missing}");
            None
        }
    }
}

#[tokio::test]
async fn jobs_are_enqueued_run_and_settled_through_a_transaction_pool() {
    let database = Database::create().await;
    let outside = database.pool(2).await;
    make_effects(&outside).await;
    let Some((pool, _bouncer)) = pooled(&database).await else { return };
    let worker = Worker::start(&pool).await;
    let mut ids = Vec::new();
    for round in 0..20 {
        let acts = [Act::Write, Act::Succeed, Act::FailBefore(2), Act::Write, Act::Return(7)];
        let single = |(n, act)| told(&format!("s{round}-{n}"), act);
        let mut jobs: Vec<_> = acts.into_iter().enumerate().map(single).collect();
        jobs.extend((0..5).map(|n| together(&format!("t{round}-{n}"), Act::Write)));
        ids.extend(enqueue(&pool, &jobs).await);
    }
    for id in ids {
        reaches(&pool, id, JobState::Succeeded).await;
    }
    assert_eq!(effects(&outside).await.len(), 20 * (2 + 5), "each once");
    worker.stop().await;
    assert_eq!(count(&outside, "select count(*) from queue.process").await, 0, "it gave up its lease");
}

/// Says how far it is, many times.
#[derive(Debug, Serialize, Deserialize)]
struct Reporting;

impl Job for Reporting {
    const KIND: &'static str = "test.reporting";
    const QUEUE: &'static str = super::support::QUEUE;
    const RETRY: Retry = Retry::DEFAULT.max_attempts(1);

    async fn run(self, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
        for step in 0..20 {
            ctx.progress(&step).await?;
        }
        Ok(())
    }
}

#[tokio::test]
async fn progress_is_reported_through_a_transaction_pool() {
    let database = Database::create().await;
    let outside = database.pool(2).await;
    let Some((pool, _bouncer)) = pooled(&database).await else { return };
    let registry = Registry::new().job::<Reporting>();
    let worker = Worker::start_with(&pool, |config| config.consumer.registry = registry).await;
    let jobs: Vec<NewJob> = (0..30).map(|_| NewJob::of(&Reporting).unwrap()).collect();
    enqueue(&pool, &jobs).await;
    waits_for(|| async { (count(&outside, "select count(*) from queue.job").await == 0).then_some(()) }).await;
    worker.stop().await;
    let errors: Vec<String> =
        sqlx::query_scalar("select errors -> 0 ->> 'error' from queue.dead_job").fetch_all(&outside).await.unwrap();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[tokio::test]
async fn a_transaction_that_was_given_up_while_it_began_takes_nothing_of_others_with_it() {
    let database = Database::create().await;
    let outside = database.pool(1).await;
    make_effects(&outside).await;
    let pool = database.pool(1).await;
    let mut given_up = 0;
    for round in 0..20 {
        {
            // Asked for a connection, and then for the transaction; gone before the answer, as with a client that hangs up.
            let mut connection = pool.acquire().await.unwrap();
            let begun = pin!(connection.begin());
            given_up += usize::from(begun.poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        sqlx::query("insert into effect values ('paid')").execute(&pool).await.unwrap();
        assert_eq!(effects(&outside).await.len(), round + 1, "what was confirmed is there");
    }
    assert_ne!(given_up, 0, "each time the server was faster");
}

async fn backend(kept: &mut Kept) -> i32 {
    sqlx::query_scalar("select pg_backend_pid()").fetch_one(kept.get().await.unwrap()).await.unwrap()
}

#[tokio::test]
async fn a_kept_connection_stays_the_same_is_cleared_when_in_doubt_and_replaced_when_lost() {
    let database = Database::create().await;
    let outside = database.pool(1).await;
    make_effects(&outside).await;
    let mut kept = Kept::new(queue::pool_options().max_connections(1).connect_lazy_with(database.options()));
    let first = backend(&mut kept).await;
    kept.answered();
    assert_eq!(backend(&mut kept).await, first);
    // Nobody says that this was answered.
    kept.get().await.unwrap().execute("begin; insert into effect values ('left open')").await.unwrap();
    sqlx::query("insert into effect values ('kept')").execute(kept.get().await.unwrap()).await.unwrap();
    assert_eq!(effects(&outside).await, ["kept"], "what was left open is over");
    let end = sqlx::query("select pg_terminate_backend($1, 5000)").bind(first).execute(&outside).await;
    assert_eq!(end.unwrap().rows_affected(), 1);
    let second = backend(&mut kept).await;
    assert_ne!(second, first);
    kept.close();
    assert_ne!(backend(&mut kept).await, second);
}
