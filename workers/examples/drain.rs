//! Drains no-op jobs; scratch.
use std::time::{Duration, Instant};

use queue::backend::ConsumerConfig;
use queue::{Job, JobContext, JobError, NewJob, Registry};
use serde::{Deserialize, Serialize};
use workers::child::{ChildConfig, run};

#[derive(Serialize, Deserialize)]
struct Noop {
    number: u64,
    text: String,
}
impl Job for Noop {
    const KIND: &'static str = "bench.noop";
    const QUEUE: &'static str = "bench";
    async fn run(self, _: &mut JobContext<'_>) -> Result<(), JobError> {
        Ok(())
    }
}

fn main() {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(bench());
}

async fn bench() {
    let jobs: u64 = std::env::args().nth(1).unwrap_or("100000".into()).parse().unwrap();
    let concurrency: usize = std::env::args().nth(2).unwrap_or("64".into()).parse().unwrap();
    let pool = sqlx::PgPool::connect(&std::env::var("DATABASE_URL").unwrap()).await.unwrap();
    let _ = sqlx::raw_sql("truncate queue.job, queue.job_history, queue.dead_job, queue.process").execute(&pool).await;
    let lsn = || async {
        sqlx::query_scalar::<_, i64>("select (pg_current_wal_insert_lsn() - '0/0')::bigint")
            .fetch_one(&pool)
            .await
            .unwrap()
    };
    sqlx::raw_sql("checkpoint").execute(&pool).await.unwrap();
    let start_lsn = lsn().await;
    let began = Instant::now();
    let mut conn = pool.acquire().await.unwrap();
    for chunk in (0..jobs).collect::<Vec<_>>().chunks(1000) {
        let new: Vec<NewJob> =
            chunk.iter().map(|n| NewJob::of(&Noop { number: *n, text: "x".repeat(80) }).unwrap()).collect();
        queue::enqueue(&mut conn, &new).await.unwrap();
    }
    println!("enqueue {:.0}/s", jobs as f64 / began.elapsed().as_secs_f64());
    let mid_lsn = lsn().await;
    if std::env::var("VACUUM").is_ok() {
        sqlx::raw_sql("vacuum analyze queue.job").execute(&pool).await.unwrap();
        sqlx::raw_sql("checkpoint").execute(&pool).await.unwrap();
    }
    let mid2_lsn = lsn().await;
    let mut config = ConsumerConfig::new(pool.clone(), Registry::new().job::<Noop>());
    config.concurrency = concurrency;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let began = Instant::now();
    let child = tokio::spawn(run(ChildConfig::new(config), async move {
        let _ = stopped.await;
    }));
    loop {
        tokio::time::sleep(Duration::from_millis(5)).await;
        let left: bool = sqlx::query_scalar("select exists (select from queue.job)").fetch_one(&pool).await.unwrap();
        if !left {
            break;
        }
    }
    let took = began.elapsed();
    let end_lsn = lsn().await;
    println!(
        "drain {:.0}/s in {:?}; wal enqueue {} drain {} bytes/job",
        jobs as f64 / took.as_secs_f64(),
        took,
        (mid_lsn - start_lsn) / jobs as i64,
        (end_lsn - mid2_lsn) / jobs as i64
    );
    let usage = std::fs::read_to_string("/proc/self/stat").unwrap();
    let f: Vec<&str> = usage.split_whitespace().collect();
    println!("cpu user {} sys {} ticks", f[13], f[14]);
    stop.send(()).unwrap();
    child.await.unwrap().unwrap();
    let n: (i64, i64) =
        sqlx::query_as("select (select count(*) from queue.job_history), (select count(*) from queue.process)")
            .fetch_one(&pool)
            .await
            .unwrap();
    println!("history {} processes {}", n.0, n.1);
}
