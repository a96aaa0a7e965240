//! The hot statements have one plan each, whatever the statistics say: made for an empty table, and for a large one.

use sqlx::{AssertSqlSafe, PgConnection};
use tests::database::Database;

/// The hot statements, each with arguments of the right types.
const HOT: [(&str, &str, &str); 10] = [
    ("enqueue", include_str!("../../../queue/src/enqueue/insert.sql"), ENQUEUE_ARGUMENTS),
    ("enqueue_plain", include_str!("../../../queue/src/enqueue/plain.sql"), PLAIN_ARGUMENTS),
    ("claim", include_str!("../../../queue/src/claim/ready.sql"), CLAIM_ARGUMENTS),
    (
        "claim_lone",
        include_str!("../../../queue/src/claim/lone.sql"),
        "0::smallint, '00000000-0000-0000-0000-000000000001', 'a', '00000000-0000-0000-0000-000000000002'",
    ),
    ("claim_keys", include_str!("../../../queue/src/claim/keys.sql"), "0::smallint, '{a}', '{\"\"}', '{\"\"}', 500"),
    (
        "claim_limited",
        include_str!("../../../queue/src/claim/limited.sql"),
        "0::smallint, '00000000-0000-0000-0000-000000000001', '{a}', '{n}', '{k}', '{10}', '{0}', '{epoch}'",
    ),
    (
        "settle",
        include_str!("../../../queue/src/settle/any.sql"),
        "0::smallint, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}'",
    ),
    (
        "settle_succeeded",
        include_str!("../../../queue/src/settle/succeeded.sql"),
        "0::smallint, '{}', '{}', '{}', '{}', '{}', '{}'",
    ),
    ("promote", include_str!("../../../queue/src/promote.sql"), "0::smallint, 10"),
    (
        "renew",
        include_str!("../../../queue/src/lease/renew.sql"),
        "0::smallint, '00000000-0000-0000-0000-000000000001', 10, '{}', '{a}', '{}'",
    ),
];

const ENQUEUE_ARGUMENTS: &str = "'{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}',
    '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', null";

const PLAIN_ARGUMENTS: &str =
    "'{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', 'c', '{}'";

const CLAIM_ARGUMENTS: &str = "0::smallint, '00000000-0000-0000-0000-000000000001', '{a}', '{100}', '{1}', '{0}',
    '{2000-01-01}', '{99}', '{3000-01-01}'";

/// A ready backlog in the queue that is asked for, another beside it, jobs that wait for their limit, and as many jobs
/// scheduled ahead.
const FILL: &str = "
    insert into queue.job (
        shard, id, queue, kind, state, priority, max_attempts, run_at, created_at, limit_name, limit_key, payload
    )
    select 0, gen_random_uuid(), case when n % 2 = 0 then 'a' else 'b' end, 'k',
           case when n <= rows / 4 then 1 when n <= rows / 2 then 3 else 0 end, 50, 3,
           now() + n * interval '1 second' * (n > rows / 2)::integer, now(),
           case when n > rows / 4 and n <= rows / 2 then 'n' end, case when n > rows / 4 and n <= rows / 2 then 'k' || n % 100 end,
           '{}'
      from (select ROWS as rows) as size
     cross join lateral generate_series(1, rows) as n";

/// The settings of the queue's own connections.
const PLANNER: &str = "
    set enable_seqscan = off; set enable_bitmapscan = off; set enable_hashjoin = off; set enable_mergejoin = off;
    set enable_sort = off; set jit = off; set plan_cache_mode = force_generic_plan";

async fn run(conn: &mut PgConnection, statement: &str) {
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(conn).await.unwrap();
}

/// How each table is reached: the lines of the plan that name a scan of one, with their index conditions, and sorts.
async fn scans(conn: &mut PgConnection, statement: &str, arguments: &str) -> Vec<String> {
    run(conn, &format!("prepare hot as {statement}")).await;
    let explain = format!("explain (costs off) execute hot({arguments})");
    let plan: Vec<String> =
        sqlx::query_scalar(AssertSqlSafe(explain)).persistent(false).fetch_all(&mut *conn).await.unwrap();
    run(conn, "deallocate hot").await;
    let plan = plan.iter().map(|line| line.trim().trim_start_matches("->").trim().to_owned());
    plan.filter(|line| line.contains(" on ") || line.contains("Cond:") || line.starts_with("Sort")).collect()
}

/// The plans of all hot statements.
async fn plans(conn: &mut PgConnection) -> String {
    let mut text = String::new();
    for (name, statement, arguments) in HOT {
        let scans = scans(conn, statement, arguments).await;
        text.push_str(&format!("{name}\n    {}\n", scans.join("\n    ")));
    }
    text
}

async fn fill(conn: &mut PgConnection, rows: &str) {
    run(conn, &FILL.replace("ROWS", rows)).await;
}

#[tokio::test]
async fn hot_statements_have_one_plan_on_an_empty_table_and_on_a_large_one() {
    let pool = Database::create().await.pool(1).await;
    let mut conn = pool.acquire().await.unwrap();
    run(&mut conn, PLANNER).await;
    let of_empty = plans(&mut conn).await;
    assert!(!of_empty.contains("Seq Scan on job"), "{of_empty}");
    insta::assert_snapshot!(of_empty);
    fill(&mut conn, "10").await;
    run(&mut conn, "analyze queue.job").await;
    let now = plans(&mut conn).await;
    assert_eq!(now, of_empty);
    fill(&mut conn, "1000000").await;
    assert_eq!(plans(&mut conn).await, of_empty);
    run(&mut conn, "analyze queue.job").await;
    assert_eq!(plans(&mut conn).await, of_empty);
    // Statistics of a table that has been drained since.
    run(&mut conn, "truncate queue.job").await;
    run(&mut conn, "vacuum analyze queue.job").await;
    fill(&mut conn, "100000").await;
    assert_eq!(plans(&mut conn).await, of_empty);
}

#[tokio::test]
async fn a_claim_touches_few_pages_whatever_else_there_is() {
    let pool = Database::create().await.pool(1).await;
    let mut conn = pool.acquire().await.unwrap();
    run(&mut conn, PLANNER).await;
    let (_, claim, _) = HOT.into_iter().find(|(name, ..)| *name == "claim").expect("it is hot");
    run(&mut conn, &format!("prepare claim as {claim}")).await;
    fill(&mut conn, "300000").await;
    let lease = "insert into queue.process (id, pid, host, queues, started_at, heartbeat_at, expires_at)
                 values ('00000000-0000-0000-0000-000000000001', 1, 'h', '{}', now(), now(), now() + '1 hour')";
    run(&mut conn, lease).await;
    let explain = format!("explain (analyze, buffers, costs off, timing off) execute claim({CLAIM_ARGUMENTS})");
    let plan: Vec<String> =
        sqlx::query_scalar(AssertSqlSafe(explain)).persistent(false).fetch_all(&mut *conn).await.unwrap();
    let buffers = plan.iter().find(|line| line.trim().starts_with("Buffers:")).expect("buffers were asked for");
    let hits: u64 = buffers.split("hit=").nth(1).unwrap().split_whitespace().next().unwrap().parse().unwrap();
    assert!(hits < 3_000, "{hits} pages for 100 jobs:\n{}", plan.join("\n"));
}
