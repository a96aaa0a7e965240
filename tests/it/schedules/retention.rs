//! What is old goes, what is young stays, however many pages a table has.

use jobs::State;
use jobs::retention::Retention;
use ledger::keys::SigningKey;
use queue::NewJob;
use queue::testing::{Outcome, run_inline};
use serde_json::{Value, json};
use sqlx::PgPool;
use tests::database::Database;

async fn execute(pool: &PgPool, statement: &'static str) {
    sqlx::query(statement).execute(pool).await.unwrap();
}

/// Runs the job; returns what it removed.
async fn run(pool: &PgPool, job: &Retention) -> Value {
    let registry = jobs::registry(State::of_key(SigningKey::generate("test.example/main").unwrap()));
    match run_inline(pool, &registry, NewJob::of(job).unwrap()).await.outcome {
        Outcome::Succeeded(Some(result)) => result,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_is_old_goes_and_what_is_young_stays() {
    let pool = Database::create().await.pool(3).await;
    // Of each, ten old ones and seven young.
    execute(
        &pool,
        "insert into app.idempotency (principal_id, route, key, fingerprint, answer, created_at)
         select gen_random_uuid(), 'r', 'k', decode(repeat('00', 32), 'hex'), '{}',
                now() - make_interval(hours => case when n <= 10 then 73 else 71 end)
         from generate_series(1, 17) as n",
    )
    .await;
    execute(
        &pool,
        "insert into app.session (token_hash, user_id, expires_at, ends_at, revoked_at)
         select sha256(n::text::bytea), gen_random_uuid(), now(),
                now() + make_interval(days => case when n <= 5 then -31 when n <= 12 then 1 else 30 end),
                case when n between 13 and 17 then now() - interval '31 days' end
         from generate_series(1, 17) as n",
    )
    .await;
    execute(
        &pool,
        "insert into app.password_reset (token_hash, user_id, expires_at)
         select sha256(n::text::bytea), gen_random_uuid(),
                now() - make_interval(days => case when n <= 10 then 31 else 29 end)
         from generate_series(1, 17) as n",
    )
    .await;
    let removed = run(&pool, &Retention::of(0)).await;
    assert_eq!(removed, json!({ "answers": 10, "sessions": 10, "password_resets": 10 }));
    assert_eq!(run(&pool, &Retention::of(0)).await, json!({ "answers": 0, "sessions": 0, "password_resets": 0 }));
    assert_eq!(run(&pool, &Retention::of(1)).await["answers"], 0, "another shard's are another's");
    let shorter: Retention = serde_json::from_value(json!({
        "shard": 0, "answers_hours": 24, "sessions_days": 365, "password_resets_days": 365
    }))
    .unwrap();
    assert_eq!(run(&pool, &shorter).await, json!({ "answers": 7, "sessions": 0, "password_resets": 0 }));
}

#[tokio::test]
async fn a_table_of_many_pages_is_walked_to_its_end() {
    let pool = Database::create().await.pool(3).await;
    // A row fills more than half a page, so that 4,500 rows are more than two steps.
    execute(&pool, "alter table app.idempotency alter column answer set storage plain").await;
    execute(
        &pool,
        "insert into app.idempotency (principal_id, route, key, fingerprint, answer, created_at)
         select gen_random_uuid(), 'r', 'k', decode(repeat('00', 32), 'hex'), to_jsonb(repeat('x', 5000)),
                now() - make_interval(hours => case when n % 2 = 0 then 100 else 1 end)
         from generate_series(1, 4500) as n",
    )
    .await;
    assert_eq!(run(&pool, &Retention::of(0)).await["answers"], 2_250);
    let left: i64 = sqlx::query_scalar("select count(*) from app.idempotency").fetch_one(&pool).await.unwrap();
    assert_eq!(left, 2_250);
}
