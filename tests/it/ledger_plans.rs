//! The statements of a posting look rows up by index, whether or not the tables have statistics yet.

use sqlx::Row;
use uuid::Uuid;

use crate::ledger_kit::Bench;

/// The statements as they are.
const READ: &str = include_str!("../../ledger/src/posting/read.sql");
const WRITE: &str = include_str!("../../ledger/src/posting/write.sql");

/// 100,000 accounts and as many transactions, entries and refusals, without statistics.
const FILL: [&str; 6] = [
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
    "insert into ledger.refusal (book, id, reason, refused_at)
     select 1, gen_random_uuid(), 'amount_zero', now() from generate_series(1, 100000)",
    "insert into ledger.tile (book, level, index, root, hashes)
     select 1, 0, n, sha256(''), decode(repeat('00', 8192), 'hex') from generate_series(0, 389) as n",
];

async fn plan(bench: &mut Bench, column: &str, table: &str) -> String {
    let ids = |sql: String| sqlx::query_scalar::<_, Vec<Uuid>>(sqlx::AssertSqlSafe(sql));
    let sample = format!("select array(select {column} from ledger.{table} where {column} is not null limit 1000)");
    let sample: Vec<Uuid> = ids(sample).fetch_one(&mut bench.conn).await.expect("the query runs");
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!("explain {READ}")))
        .bind(0i16)
        .bind(1i32)
        .bind(&sample)
        .bind(&sample)
        .bind(&sample)
        .bind(&sample)
        .bind(99_840i64)
        .bind(100_000i64)
        .bind(vec![0i16])
        .bind(vec![256i64])
        .bind(vec![390i64])
        .bind(&sample)
        .persistent(false)
        .fetch_all(&mut bench.conn)
        .await
        .expect("the query runs");
    rows.iter().map(|row| row.get::<String, _>(0)).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_batch_is_read_by_index_with_and_without_statistics() {
    let mut bench = Bench::create(0).await;
    for statement in FILL {
        bench.execute(statement.to_owned()).await;
    }
    for statistics in ["select 1", "analyze"] {
        bench.execute(statistics.to_owned()).await;
        let plan = plan(&mut bench, "id", "transaction").await;
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

#[test]
fn a_batch_is_written_without_a_choice_of_plan() {
    // Inserts, one upsert by primary key, the one row of the book, and holds that are found by their ids one by one.
    assert_eq!(WRITE.matches("join").count(), 1);
    let look_up = WRITE.split("cross join lateral (").nth(1).unwrap().split(") as found").next().unwrap();
    assert!(look_up.contains("id = ended.id") && look_up.contains("offset 0") && WRITE.contains("ctid = any ("));
    assert_eq!(WRITE.matches("update ledger.book").count(), 1);
    assert_eq!(WRITE.matches("on conflict (shard, book, id) do update").count(), 1);
}
