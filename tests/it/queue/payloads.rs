//! Payloads of other times: older ones are upgraded, newer ones are left to who knows them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use queue::inspect::JobState;
use queue::testing::{Outcome, advance, assert_enqueued, drain, run_inline, run_one};
use queue::{Batch, BatchJob, BoxError, Job, JobContext, JobError, NewJob, Registry};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::PgPool;
use tests::database::Database;
use uuid::Uuid;

use super::support::{QUEUE, enqueue, find};

/// The names that ran, in their order.
type Names = Mutex<Vec<String>>;

/// Version 1 had a bare name, 2 a first and a last one, 3 has them in one again.
#[derive(Debug, Serialize, Deserialize)]
struct Greet {
    full_name: String,
}

fn upgrade(from: u16, payload: Value) -> Result<Value, BoxError> {
    let payload = if from < 2 { json!({ "first": payload, "last": "Byron" }) } else { payload };
    let text = |part: &str| payload[part].as_str().ok_or(format!("no {part} name"));
    Ok(json!({ "full_name": format!("{} {}", text("first")?, text("last")?) }))
}

impl Job for Greet {
    const KIND: &'static str = "test.greet";
    const QUEUE: &'static str = QUEUE;
    const VERSION: u16 = 3;

    fn upgrade(from: u16, payload: Value) -> Result<Value, BoxError> {
        upgrade(from, payload)
    }

    async fn run(self, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
        ctx.state::<Names>().lock().unwrap().push(self.full_name);
        Ok(())
    }
}

/// The same as a batch.
#[derive(Debug, Serialize, Deserialize)]
struct GreetTogether {
    full_name: String,
}

impl BatchJob for GreetTogether {
    const KIND: &'static str = "test.greet_together";
    const QUEUE: &'static str = QUEUE;
    const BATCH_MAX: usize = 10;
    const VERSION: u16 = 3;

    fn upgrade(from: u16, payload: Value) -> Result<Value, BoxError> {
        upgrade(from, payload)
    }

    async fn run(batch: &mut Batch<'_, Self>) -> Result<(), JobError> {
        let names = batch.items().iter().map(|item| item.payload.full_name.clone()).collect::<Vec<_>>().join(", ");
        batch.state::<Names>().lock().unwrap().push(names);
        Ok(())
    }
}

/// The release before: it knows version 2.
#[derive(Debug, Serialize, Deserialize)]
struct GreetBefore {
    first: String,
    last: String,
}

impl Job for GreetBefore {
    const KIND: &'static str = Greet::KIND;
    const QUEUE: &'static str = QUEUE;
    const VERSION: u16 = 2;

    async fn run(self, _: &mut JobContext<'_>) -> Result<(), JobError> {
        panic!("it cannot have read {} {}", self.first, self.last);
    }
}

fn registry(names: &Arc<Names>) -> Registry {
    Registry::new().job::<Greet>().batch::<GreetTogether>().state(names.clone())
}

fn new() -> NewJob {
    NewJob::of(&Greet { full_name: "Ada Lovelace".to_owned() }).unwrap()
}

fn new_together() -> NewJob {
    NewJob::batch(&GreetTogether { full_name: "Ada Lovelace".to_owned() }).unwrap()
}

/// Makes the job one that was enqueued by another release.
async fn turn(pool: &PgPool, id: Uuid, version: i16, payload: Value) {
    let turn = "update queue.job set version = $2, payload = $3 where id = $1";
    sqlx::query(turn).bind(id).bind(version).bind(payload).execute(pool).await.unwrap();
}

async fn version(pool: &PgPool, statement: &'static str, id: Uuid) -> i16 {
    sqlx::query_scalar(statement).bind(id).fetch_one(pool).await.unwrap()
}

#[tokio::test]
async fn older_payloads_are_upgraded_and_then_run() {
    let pool = Database::create().await.pool(5).await;
    let names = Arc::new(Names::default());
    let ids = enqueue(&pool, &[new(), new(), new(), new_together(), new_together()]).await;
    for (id, version) in [(ids[0], 1), (ids[3], 1), (ids[1], 2)] {
        let payload = if version == 1 { json!("Annabella") } else { json!({ "first": "Anne", "last": "Blunt" }) };
        turn(&pool, id, version, payload).await;
    }
    let ran = drain(&pool, &registry(&names), QUEUE).await;
    assert!(ran.len() == 5 && ran.iter().all(|one| one.outcome == Outcome::Succeeded(None)), "{ran:?}");
    let expected = ["Annabella Byron", "Anne Blunt", "Ada Lovelace", "Annabella Byron, Ada Lovelace"];
    assert_eq!(*names.lock().unwrap(), expected);
    let of_history = "select version from queue.job_history where id = $1";
    assert_eq!(version(&pool, of_history, ids[0]).await, 1, "what was stored stays as it was");
    assert_eq!(version(&pool, of_history, ids[2]).await, 3);
}

#[tokio::test]
async fn a_newer_payload_is_put_off_until_somebody_knows_it() {
    let pool = Database::create().await.pool(5).await;
    let before = Registry::new().job::<GreetBefore>();
    let ran = run_inline(&pool, &before, new()).await;
    assert!(matches!(ran.outcome, Outcome::Snoozed { .. }), "{ran:?}");
    let job = find(&pool, ran.id).await;
    assert_eq!((job.state, job.attempt, job.errors.len()), (JobState::Scheduled, 0, 0), "it has used nothing up");
    assert_enqueued::<Greet>(&mut pool.acquire().await.unwrap(), |job| job.full_name == "Ada Lovelace").await;
    let names = Arc::new(Names::default());
    assert!(drain(&pool, &registry(&names), QUEUE).await.is_empty(), "not before its time");
    advance(&pool, Duration::from_secs(30)).await;
    let ran = drain(&pool, &registry(&names), QUEUE).await;
    assert_eq!((ran[0].attempt, &ran[0].outcome), (1, &Outcome::Succeeded(None)));
}

#[tokio::test]
async fn one_newer_payload_does_not_hold_up_its_batch() {
    let pool = Database::create().await.pool(5).await;
    let names = Arc::new(Names::default());
    let ids = enqueue(&pool, &[new_together(), new_together(), new_together()]).await;
    turn(&pool, ids[1], 4, json!({})).await;
    let ran = drain(&pool, &registry(&names), QUEUE).await;
    assert!(matches!(ran[1].outcome, Outcome::Snoozed { .. }), "{ran:?}");
    assert_eq!(*names.lock().unwrap(), ["Ada Lovelace, Ada Lovelace"]);
}

#[tokio::test]
async fn what_is_not_understood_is_a_dead_letter_that_names_its_version() {
    let pool = Database::create().await.pool(5).await;
    let registry = registry(&Arc::default());
    let table = [
        (1, json!(7), "version 1 of the payload does not upgrade: no first name"),
        (2, json!({ "first": "Ada" }), "version 2 of the payload does not upgrade: no last name"),
        (3, json!({ "first": "Ada" }), "version 3 of the payload does not parse: missing field `full_name`"),
    ];
    for (number, payload, told) in table {
        for job in [new(), new_together()] {
            let ids = enqueue(&pool, &[job]).await;
            turn(&pool, ids[0], number, payload.clone()).await;
            let Outcome::Dead { reason, error } = run_one(&pool, &registry, ids[0]).await.outcome else {
                panic!("version {number} was understood");
            };
            assert_eq!(reason, "undecodable");
            assert!(error.starts_with(told), "{error}");
            let of_dead = "select version from queue.dead_job where id = $1";
            assert_eq!(version(&pool, of_dead, ids[0]).await, number);
        }
    }
}

#[tokio::test]
async fn a_kind_that_says_nothing_upgrades_nothing() {
    let pool = Database::create().await.pool(5).await;
    let job = NewJob::of(&GreetBefore { first: "Ada".to_owned(), last: "Lovelace".to_owned() }).unwrap();
    let ids = enqueue(&pool, &[job]).await;
    turn(&pool, ids[0], 1, json!({ "first": "Ada", "last": "Lovelace" })).await;
    let Outcome::Dead { error, .. } = run_one(&pool, &Registry::new().job::<GreetBefore>(), ids[0]).await.outcome
    else {
        panic!("a changed meaning went unnoticed");
    };
    assert!(error.ends_with("test.greet does not say how to upgrade from version 1"), "{error}");
}
