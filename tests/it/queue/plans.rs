//! The hot statements have one plan each, whatever the statistics say: made for an empty table, and for a large one.

use sqlx::{AssertSqlSafe, PgConnection};
use tests::database::Database;

const CLAIM: &str = include_str!("../../../queue/src/claim.sql");
const SETTLE: &str = include_str!("../../../queue/src/settle.sql");
const PROMOTE: &str = include_str!("../../../queue/src/promote.sql");

/// A ready backlog in the queue that is asked for, another beside it, and twice as many jobs scheduled ahead.
const FILL: &str = "
    insert into queue.job (shard, id, queue, kind, state, priority, max_attempts, run_at, created_at, payload)
    select 0, gen_random_uuid(), case when n % 2 = 0 then 'a' else 'b' end, 'k', case when n <= 100000 then 1 else 0 end,
           50, 3, now() + n * interval '1 second' * (n > 100000)::integer, now(), '{}'
      from generate_series(1, 300000) as n";

/// The settings of the queue's own connections.
const PLANNER: &str = "
    set enable_seqscan = off; set enable_bitmapscan = off; set enable_hashjoin = off; set enable_mergejoin = off;
    set enable_sort = off; set jit = off; set plan_cache_mode = force_generic_plan";

async fn run(conn: &mut PgConnection, statement: &str) {
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(conn).await.unwrap();
}

/// How each table is reached: the lines of the plan that name a scan of one, with their index conditions.
async fn scans(conn: &mut PgConnection, statement: &str, arguments: &str) -> Vec<String> {
    run(conn, &format!("prepare hot as {statement}")).await;
    let explain = format!("explain (costs off) execute hot({arguments})");
    let plan: Vec<String> =
        sqlx::query_scalar(AssertSqlSafe(explain)).persistent(false).fetch_all(&mut *conn).await.unwrap();
    run(conn, "deallocate hot").await;
    let plan = plan.iter().map(|line| line.trim().trim_start_matches("->").trim().to_owned());
    plan.filter(|line| line.contains(" on job") || line.contains(" on process") || line.contains("Cond:")).collect()
}

async fn check_all(conn: &mut PgConnection) {
    let nobody = "'00000000-0000-0000-0000-000000000000'";
    assert_eq!(
        scans(conn, CLAIM, &format!("0::smallint, {nobody}, '{{a}}', '{{10}}'")).await,
        [
            "Update on job",
            "Index Scan using process_pkey on process",
            "Index Cond: ((shard = $1) AND (id = $2))",
            "Index Scan using job_claim on job ready",
            "Index Cond: ((shard = $1) AND (queue = asked.queue))",
            "Tid Scan on job",
            "TID Cond: (ctid = ANY ($6))",
        ]
    );
    let settle = scans(conn, SETTLE, "0::smallint, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}'").await;
    assert_eq!(
        settle,
        [
            "Delete on job",
            "Index Scan using job_pkey on job",
            "Index Cond: ((shard = ANY (ARRAY[outcome.shard])) AND (id >= outcome.id) AND (id <= outcome.id))",
            "Insert on job_history",
            "Update on job job_1",
            "Index Scan using job_pkey on job job_1",
            "Index Cond: ((shard = ANY (ARRAY[outcome_1.shard])) AND (id >= outcome_1.id) AND (id <= outcome_1.id))",
        ]
    );
    let promote = scans(conn, PROMOTE, "0::smallint, 10").await;
    assert!(promote.iter().all(|line| !line.contains("Seq Scan")), "{promote:#?}");
    assert_eq!(promote.iter().filter(|line| line.contains("using job_due")).count(), 2, "{promote:#?}");
}

#[tokio::test]
async fn hot_statements_have_one_plan_on_an_empty_table_and_on_a_large_one() {
    let pool = Database::create().await.pool(1).await;
    let mut conn = pool.acquire().await.unwrap();
    run(&mut conn, PLANNER).await;
    check_all(&mut conn).await;
    run(&mut conn, "analyze queue.job").await;
    check_all(&mut conn).await;
    run(&mut conn, FILL).await;
    check_all(&mut conn).await;
    run(&mut conn, "analyze queue.job").await;
    check_all(&mut conn).await;
    // Statistics of a table that has been drained since.
    run(&mut conn, "delete from queue.job").await;
    run(&mut conn, "vacuum analyze queue.job").await;
    run(&mut conn, FILL).await;
    check_all(&mut conn).await;
}

#[tokio::test]
async fn a_claim_touches_few_pages_whatever_else_there_is() {
    let pool = Database::create().await.pool(1).await;
    let mut conn = pool.acquire().await.unwrap();
    run(&mut conn, PLANNER).await;
    run(&mut conn, &format!("prepare claim as {CLAIM}")).await;
    run(&mut conn, FILL).await;
    let lease = "insert into queue.process (id, pid, host, queues, started_at, heartbeat_at, expires_at)
                 values ('00000000-0000-0000-0000-000000000001', 1, 'h', '{}', now(), now(), now() + '1 hour')";
    run(&mut conn, lease).await;
    let explain = "explain (analyze, buffers, costs off, timing off)
                   execute claim(0::smallint, '00000000-0000-0000-0000-000000000001', '{a}', '{100}')";
    let plan: Vec<String> = sqlx::query_scalar(explain).persistent(false).fetch_all(&mut *conn).await.unwrap();
    let buffers = plan.iter().find(|line| line.trim().starts_with("Buffers:")).expect("buffers were asked for");
    let hits: u64 = buffers.split("hit=").nth(1).unwrap().split_whitespace().next().unwrap().parse().unwrap();
    assert!(hits < 3_000, "{hits} pages for 100 jobs:\n{}", plan.join("\n"));
}
