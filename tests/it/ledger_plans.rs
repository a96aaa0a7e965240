//! The statements of a posting look rows up by index, whether or not the tables have statistics yet.

use sqlx::Row;
use uuid::Uuid;

use crate::ledger_kit::Bench;

/// The statements as they are.
const READ: &str = include_str!("../../ledger/src/posting/read.sql");
const DUE: &str = include_str!("../../ledger/src/holds/due.sql");
const BALANCE_EFFECTIVE: &str = include_str!("../../ledger/src/history/balance_effective.sql");
const WRITE: &str = include_str!("../../ledger/src/posting/write.sql");

/// 100,000 accounts and as many transactions, entries and refusals, without statistics.
const FILL: [&str; 7] = [
    "set session_replication_role = replica",
    "insert into ledger.account (book, id, currency, overdraft)
     select 1, gen_random_uuid(), 'GBP', true from generate_series(1, 100000)",
    "insert into ledger.transaction (book, seq, id, recorded_at, leaf_hash, leaf, reverses, reverses_part, resolves)
     select 1, n, gen_random_uuid(), now(), sha256(n::text::bytea), convert_to(repeat('x', 130), 'UTF8'),
         case n % 10 when 0 then gen_random_uuid() end,
         case n % 10 when 1 then gen_random_uuid() end,
         case n % 10 when 2 then gen_random_uuid() end
     from generate_series(0, 99999) as n",
    "insert into ledger.open_hold (book, id, seq, expires_at, accounts)
     select 1, gen_random_uuid(), n, now(), array[gen_random_uuid()] from generate_series(0, 99999) as n",
    "insert into ledger.entry (book, account_id, version, seq, amount, balance, effective_at)
     select 1, id, n, n, 1, n, case n % 100 when 0 then now() end
     from (select id from ledger.account limit 10) as account
     cross join generate_series(1, 10000) as n",
    "insert into ledger.refusal (book, id, reason, refused_at)
     select 1, gen_random_uuid(), 'amount_zero', now() from generate_series(1, 100000)",
    "insert into ledger.tile (book, level, index, root, hashes)
     select 1, 0, n, sha256(''), decode(repeat('00', 8192), 'hex') from generate_series(0, 389) as n",
];

/// The plan that a statement of a posting has, under the settings that the lock of the book makes.
async fn plan_of_posting(bench: &mut Bench, statement: &str) -> String {
    let settings = include_str!("../../ledger/src/posting/read.rs").split("set_config(").skip(1);
    let settings: Vec<_> =
        settings.map(|one| one.split('\'').collect::<Vec<_>>()).map(|one| (one[1], one[3])).collect();
    assert!(settings.contains(&("plan_cache_mode", "force_generic_plan")) && settings.len() > 4, "{settings:?}");
    for (name, value) in &settings {
        bench.execute(format!("set {name} = {value}")).await;
    }
    let body = statement.lines().filter(|line| !line.trim_start().starts_with("--")).collect::<Vec<_>>().join("\n");
    let parameters = (1..50).take_while(|number| body.contains(&format!("${number}"))).count();
    bench.execute(format!("prepare posting as {body}")).await;
    let execute = format!("explain execute posting({})", vec!["null"; parameters].join(", "));
    let rows = sqlx::query(sqlx::AssertSqlSafe(execute)).persistent(false).fetch_all(&mut bench.conn).await;
    bench.execute("deallocate posting".to_owned()).await;
    for (name, _) in &settings {
        bench.execute(format!("reset {name}")).await;
    }
    rows.expect("the query runs").iter().map(|row| row.get::<String, _>(0)).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_batch_is_read_by_index_with_and_without_statistics() {
    let mut bench = Bench::create(0).await;
    for statement in FILL {
        bench.execute(statement.to_owned()).await;
    }
    for statistics in ["select 1", "analyze"] {
        bench.execute(statistics.to_owned()).await;
        let plan = plan_of_posting(&mut bench, READ).await;
        for index in [
            "account_pkey",
            "transaction_pkey",
            "refusal_pkey",
            "transaction_reverses_key",
            "transaction_reverses_part",
            "transaction_resolves_key",
            "open_hold_pkey",
            "transaction_shard_book_seq_key",
            "tile_pkey",
        ] {
            let is_used =
                plan.contains(&format!("using {index} ")) || plan.contains(&format!("Index Scan on {index} "));
            assert!(is_used, "{index} after {statistics}:\n{plan}");
        }
        assert!(!plan.contains("Seq Scan"), "after {statistics}:\n{plan}");
        // An index that finds an id by its book alone would have the id in a filter.
        assert!(!plan.contains("Filter: (id") && !plan.contains("Filter: (re"), "after {statistics}:\n{plan}");
        assert!(plan.matches("id = wanted").count() >= 3, "after {statistics}:\n{plan}");
    }
}

async fn lines(
    query: sqlx::query::Query<'_, sqlx::Postgres, sqlx::postgres::PgArguments>,
    bench: &mut Bench,
) -> String {
    let rows = query.persistent(false).fetch_all(&mut bench.conn).await.expect("the query runs");
    rows.iter().map(|row| row.get::<String, _>(0)).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn the_past_and_what_is_due_are_found_by_index_with_and_without_statistics() {
    let mut bench = Bench::create(0).await;
    for statement in FILL {
        bench.execute(statement.to_owned()).await;
    }
    let account = "select account_id from ledger.entry limit 1";
    let account: Uuid = sqlx::query_scalar(account).fetch_one(&mut bench.conn).await.expect("there are entries");
    let now = bench.now().await;
    for statistics in ["select 1", "analyze"] {
        bench.execute(statistics.to_owned()).await;
        let due = format!("explain {DUE}");
        let due = sqlx::query(sqlx::AssertSqlSafe(due)).bind(0i16).bind(1i32).bind(100i64);
        let plan = lines(due, &mut bench).await;
        assert!(plan.contains("Index Scan using open_hold_expires_at"), "after {statistics}:\n{plan}");
        assert!(!plan.contains("Sort"), "after {statistics}:\n{plan}");
        let past = format!("explain {BALANCE_EFFECTIVE}");
        let past = sqlx::query(sqlx::AssertSqlSafe(past)).bind(0i16).bind(1i32).bind(account).bind(now);
        let plan = lines(past, &mut bench).await;
        for index in ["transaction_shard_book_seq_key", "entry_pkey", "entry_effective_at", "account_pkey"] {
            assert!(plan.contains(index), "{index} after {statistics}:\n{plan}");
        }
        assert_eq!(plan.matches("entry_effective_at").count(), 2, "after {statistics}:\n{plan}");
        assert!(!plan.contains("Seq Scan on entry") && !plan.contains("Seq Scan on tr"), "after {statistics}:\n{plan}");
    }
}

#[tokio::test]
async fn a_batch_is_written_without_a_search() {
    let mut bench = Bench::create(0).await;
    for statistics in ["select 1", FILL[0], FILL[1], "analyze"] {
        bench.execute(statistics.to_owned()).await;
        let plan = plan_of_posting(&mut bench, WRITE).await;
        assert!(plan.contains("Tid Scan on account"), "after {statistics}:\n{plan}");
        assert!(
            plan.contains("using open_hold_pkey") && plan.contains("Tid Scan on book"),
            "after {statistics}:\n{plan}"
        );
        assert!(!plan.contains("Seq Scan"), "after {statistics}:\n{plan}");
    }
}
