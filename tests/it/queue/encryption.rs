//! Sealed payloads: only their own job opens them, and no table shows them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use queue::encryption::{Key, Keyring, Rotated, rotate};
use queue::inspect::JobState;
use queue::testing::{Outcome, advance, drain, run_inline, run_one};
use queue::{Batch, BatchJob, EnqueueError, Job, JobContext, JobError, NewJob, Registry, Retry};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use tests::database::Database;
use uuid::Uuid;

use super::support::{QUEUE, enqueue, find};

/// What is never to be seen.
const SECRET: &str = "12 St James's Square";

type Seen = Mutex<Vec<String>>;

#[derive(Debug, Serialize, Deserialize)]
struct SendLetter {
    address: String,
    fails: bool,
}

impl Job for SendLetter {
    const KIND: &'static str = "test.send_letter";
    const QUEUE: &'static str = QUEUE;
    const ENCRYPTED: bool = true;
    const RETRY: Retry = Retry::exponential(Duration::from_secs(60)).max_attempts(2);

    async fn run(self, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
        ctx.progress(&"looking for a stamp").await?;
        ctx.commit_step(&1).await?;
        if self.fails {
            return Err(JobError::retry("no stamp"));
        }
        ctx.state::<Seen>().lock().unwrap().push(self.address);
        Ok(())
    }
}

/// The same as a batch.
#[derive(Debug, Serialize, Deserialize)]
struct SendLetters {
    address: String,
}

impl BatchJob for SendLetters {
    const KIND: &'static str = "test.send_letters";
    const QUEUE: &'static str = QUEUE;
    const ENCRYPTED: bool = true;
    const BATCH_MAX: usize = 10;

    async fn run(batch: &mut Batch<'_, Self>) -> Result<(), JobError> {
        let addresses: Vec<String> = batch.items().iter().map(|item| item.payload.address.clone()).collect();
        batch.state::<Seen>().lock().unwrap().extend(addresses);
        Ok(())
    }
}

/// As if the kind had changed without saying so: payloads of [`SendLetter`] do not parse.
#[derive(Debug, Serialize, Deserialize)]
struct Misread {
    address: u64,
}

impl Job for Misread {
    const KIND: &'static str = SendLetter::KIND;
    const QUEUE: &'static str = QUEUE;

    async fn run(self, _: &mut JobContext<'_>) -> Result<(), JobError> {
        panic!("an address is no number like {}", self.address);
    }
}

fn key(id: &str) -> Key {
    let digit = id.bytes().map(u32::from).sum::<u32>() % 16;
    Key::from_text(id, &format!("{digit:x}").repeat(64)).unwrap()
}

fn keyring(id: &str) -> Keyring {
    Keyring::new(key(id))
}

fn registry(keyring: &Keyring, seen: &Arc<Seen>) -> Registry {
    Registry::new().job::<SendLetter>().batch::<SendLetters>().state(seen.clone()).keyring(keyring.clone())
}

fn letter(keyring: &Keyring) -> NewJob {
    NewJob::encrypted(&SendLetter { address: SECRET.to_owned(), fails: false }, keyring).unwrap()
}

fn failing_letter(keyring: &Keyring) -> NewJob {
    NewJob::encrypted(&SendLetter { address: SECRET.to_owned(), fails: true }, keyring).unwrap()
}

/// The rows of the queue, with all their columns, that show the text.
async fn rows_showing(pool: &PgPool, text: &str) -> i64 {
    let rows = "select count(*)
                  from (
                       select job::text as row from queue.job
                        union all
                       select job_history::text from queue.job_history
                        union all
                       select dead_job::text from queue.dead_job
                       ) as everything
                 where position($1 in row) > 0";
    sqlx::query_scalar(rows).bind(text).fetch_one(pool).await.unwrap()
}

/// The id of the key that a job is sealed with.
async fn sealed_with(pool: &PgPool, id: Uuid) -> String {
    let sealed = "select coalesce(
                             (select payload #>> '{enc,key}' from queue.job where id = $1),
                             (select payload #>> '{enc,key}' from queue.dead_job where id = $1)
                         )";
    sqlx::query_scalar(sealed).bind(id).fetch_one(pool).await.unwrap()
}

#[tokio::test]
async fn no_table_shows_a_sealed_payload_in_any_state() {
    let pool = Database::create().await.pool(5).await;
    let (ring, seen) = (keyring("k"), Arc::new(Seen::default()));
    let registry = registry(&ring, &seen);
    let waiting = enqueue(&pool, &[letter(&ring).delay(Duration::from_secs(3_600))]).await;
    let succeeded = run_inline(&pool, &registry, letter(&ring)).await;
    assert_eq!(succeeded.outcome, Outcome::Succeeded(None));
    let failing = run_inline(&pool, &registry, failing_letter(&ring)).await;
    assert!(matches!(failing.outcome, Outcome::Retried { .. }));
    advance(&pool, Duration::from_secs(100)).await;
    assert!(matches!(run_one(&pool, &registry, failing.id).await.outcome, Outcome::Dead { .. }));
    let misread = run_inline(&pool, &Registry::new().job::<Misread>().keyring(ring.clone()), letter(&ring)).await;
    let Outcome::Dead { reason, error } = misread.outcome else { panic!("it was read") };
    assert_eq!(reason, "undecodable");
    assert!(error.starts_with("version 1 of the payload does not parse: Data error at line 1"), "{error}");
    assert_eq!(*seen.lock().unwrap(), [SECRET], "the job itself sees it");
    assert_eq!(rows_showing(&pool, "James").await, 0);
    assert_eq!(rows_showing(&pool, "xchacha20poly1305").await, 4, "the search finds what is there");
    assert_eq!(find(&pool, waiting[0]).await.state, JobState::Scheduled);
}

#[tokio::test]
async fn an_encrypted_kind_is_not_enqueued_in_the_clear() {
    let letter = SendLetter { address: SECRET.to_owned(), fails: false };
    let refused = NewJob::of(&letter).unwrap_err();
    assert!(matches!(refused, EnqueueError::KeyNeeded { kind: "test.send_letter" }), "{refused}");
    let refused = NewJob::batch(&SendLetters { address: SECRET.to_owned() }).unwrap_err();
    assert!(matches!(refused, EnqueueError::KeyNeeded { kind: "test.send_letters" }), "{refused}");
    let job = NewJob::encrypted(&letter, &keyring("k")).unwrap();
    assert!(!format!("{job:?}").contains("James"), "not even for debugging");
}

#[tokio::test]
async fn batches_are_opened_too() {
    let pool = Database::create().await.pool(5).await;
    let (ring, seen) = (keyring("k"), Arc::new(Seen::default()));
    let new = |address: &str| {
        let letter = SendLetters { address: address.to_owned() };
        NewJob::encrypted_batch(&letter, &ring).unwrap()
    };
    enqueue(&pool, &[new("a"), new("b")]).await;
    drain(&pool, &registry(&ring, &seen), QUEUE).await;
    assert_eq!(*seen.lock().unwrap(), ["a", "b"]);
}

#[tokio::test]
async fn a_payload_is_bound_to_the_id_that_its_job_has_in_the_end() {
    let pool = Database::create().await.pool(5).await;
    let (ring, seen) = (keyring("k"), Arc::new(Seen::default()));
    let mut job = letter(&ring).id(Uuid::now_v7());
    assert_eq!(run_inline(&pool, &registry(&ring, &seen), job.clone()).await.outcome, Outcome::Succeeded(None));
    job.id = Uuid::now_v7();
    assert_eq!(run_inline(&pool, &registry(&ring, &seen), job).await.outcome, Outcome::Succeeded(None));
}

#[tokio::test]
async fn sealed_payloads_that_are_swapped_do_not_open() {
    let pool = Database::create().await.pool(5).await;
    let (ring, seen) = (keyring("k"), Arc::new(Seen::default()));
    let ids = enqueue(&pool, &[letter(&ring), letter(&ring)]).await;
    let swap = "update queue.job as job set payload = other.payload from queue.job as other where job.id <> other.id";
    sqlx::query(swap).execute(&pool).await.unwrap();
    for ran in drain(&pool, &registry(&ring, &seen), QUEUE).await {
        let Outcome::Dead { reason, error } = ran.outcome else { panic!("{} opened", ran.id) };
        let told = "the payload is not what the key \"k\" sealed for this job";
        assert_eq!((reason.as_str(), error.as_str()), ("undecodable", told));
        assert!(ids.contains(&ran.id));
    }
    assert!(seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_worker_without_the_key_leaves_the_job_to_others() {
    let pool = Database::create().await.pool(5).await;
    let seen = Arc::new(Seen::default());
    let ran = run_inline(&pool, &registry(&keyring("old"), &seen), letter(&keyring("new"))).await;
    assert!(matches!(ran.outcome, Outcome::Snoozed { .. }), "{ran:?}");
    let without = Registry::new().job::<SendLetter>();
    advance(&pool, Duration::from_secs(30)).await;
    assert!(matches!(run_one(&pool, &without, ran.id).await.outcome, Outcome::Snoozed { .. }));
    assert_eq!(find(&pool, ran.id).await.attempt, 0, "no attempt was used up");
    advance(&pool, Duration::from_secs(30)).await;
    let both = Keyring::new(key("old")).with(key("new")).unwrap();
    assert_eq!(run_one(&pool, &registry(&both, &seen), ran.id).await.outcome, Outcome::Succeeded(None));
}

#[tokio::test]
async fn a_rotation_seals_everything_anew_but_what_runs() {
    let pool = Database::create().await.pool(5).await;
    let (old, new, seen) = (keyring("old"), keyring("new"), Arc::new(Seen::default()));
    let dead = run_inline(&pool, &registry(&old, &seen), failing_letter(&old)).await.id;
    advance(&pool, Duration::from_secs(100)).await;
    run_one(&pool, &registry(&old, &seen), dead).await;
    let live = enqueue(&pool, &[letter(&old), letter(&old), letter(&old), letter(&old), letter(&new)]).await;
    let foreign = enqueue(&pool, &[letter(&keyring("lost"))]).await[0];
    let process = Uuid::now_v7();
    let claim = "update queue.job set owner = $2, epoch = epoch + 1, claimed_at = now() where id = $1";
    sqlx::query(claim).bind(live[3]).bind(process).execute(&pool).await.unwrap();
    let mut conn = pool.acquire().await.unwrap();
    let both = Keyring::new(key("new")).with(key("old")).unwrap();
    let rotated = rotate(&mut conn, 0, &both, 2).await.unwrap();
    assert_eq!(rotated, Rotated { live: 3, dead: 1, running: 1, unopened: 1 });
    for id in live[..3].iter().chain([&live[4], &dead]) {
        assert_eq!(sealed_with(&pool, *id).await, "new");
    }
    let claimed: (i32, Option<Uuid>) = sqlx::query_as("select epoch, owner from queue.job where id = $1")
        .bind(live[3])
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!((claimed, sealed_with(&pool, live[3]).await), ((1, Some(process)), "old".to_owned()));
    let give_back = "update queue.job set state = 1, owner = null where id = $1";
    sqlx::query(give_back).bind(live[3]).execute(&pool).await.unwrap();
    let rotated = rotate(&mut conn, 0, &both, 1_000).await.unwrap();
    assert_eq!(rotated, Rotated { live: 1, dead: 0, running: 0, unopened: 1 });
    let ran = drain(&pool, &registry(&new, &seen), QUEUE).await;
    for one in ran {
        let is_foreign = one.id == foreign;
        assert_eq!(one.outcome == Outcome::Succeeded(None), !is_foreign, "the new key alone opens them: {one:?}");
    }
    assert_eq!(seen.lock().unwrap().len(), 5);
}
