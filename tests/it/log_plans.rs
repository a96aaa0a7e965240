//! The statement that reads proofs is made of index look-ups, whether or not the tables have statistics.

use sqlx::Row;

use crate::ledger_kit::Bench;

/// The statement as it is.
const HASHES: &str = include_str!("../../ledger/src/merkle/hashes.sql");

/// 100,000 leaves and their tiles, without statistics.
const FILL: [&str; 3] = [
    "set session_replication_role = replica",
    "insert into ledger.transaction (book, seq, id, recorded_at, leaf_hash, leaf)
     select 1, n, gen_random_uuid(), now(), sha256(n::text::bytea), convert_to(repeat('x', 130), 'UTF8')
     from generate_series(0, 99999) as n",
    "insert into ledger.tile (book, level, index, root, hashes)
     select 1, 0, n, sha256(''), decode(repeat('00', 8192), 'hex') from generate_series(0, 389) as n",
];

async fn plan(bench: &mut Bench) -> String {
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!("explain {HASHES}")))
        .bind(0i16)
        .bind(1i32)
        .bind(vec![0i32; 20])
        .bind(vec![0i16; 20])
        .bind(vec![7i64; 20])
        .bind(vec![0i32; 20])
        .bind(vec![4_096i32; 20])
        .bind(vec![1i32])
        .bind(vec![99_840i64])
        .bind(vec![99_968i64])
        .bind(vec![2i32])
        .bind(vec![1i16])
        .bind(vec![256i64])
        .bind(vec![384i64])
        .persistent(false)
        .fetch_all(&mut bench.conn)
        .await
        .expect("the query runs");
    rows.iter().map(|row| row.get::<String, _>(0)).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_proof_is_read_by_index_with_and_without_statistics() {
    let mut bench = Bench::create(0).await;
    for statement in FILL {
        bench.execute(statement.to_owned()).await;
    }
    for statistics in ["select 1", "analyze"] {
        bench.execute(statistics.to_owned()).await;
        let plan = plan(&mut bench).await;
        assert!(!plan.contains("Seq Scan"), "after {statistics}:\n{plan}");
        for (index, times) in [("tile_pkey", 2), ("transaction_shard_book_seq_key", 1)] {
            let used = [format!("using {index} "), format!("on {index} ")];
            let count: usize = used.iter().map(|used| plan.matches(used).count()).sum();
            assert_eq!(count, times, "{index} after {statistics}:\n{plan}");
        }
        for column in ["level = ", "index = ", "seq >= ", "index >= "] {
            let in_index = plan.lines().any(|line| line.contains("Index Cond") && line.contains(column));
            assert!(in_index, "{column} after {statistics}:\n{plan}");
        }
    }
}
