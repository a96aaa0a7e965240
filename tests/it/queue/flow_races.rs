//! Flows at the edges: parents that are there already, in every state and while they end; rounds that are cut off,
//! repeated, and very large.

use std::time::Instant;

use queue::Flow;
use queue::flow::unblock;
use queue::inspect::JobState;
use sqlx::{PgConnection, PgPool};
use tests::database::{Database, until_blocked};
use uuid::Uuid;

use super::flows::{end, enqueue_flow, is_exact, settle, unblock_all};
use super::support::{Act, Worker, count, enqueue, find, reaches, told};

/// A flow of two jobs, of which one needs the success of a job of before and the other its end.
fn two_after(job: Uuid) -> (Flow, [Uuid; 2]) {
    let mut flow = Flow::new();
    let (strict, easy) = (flow.add(told("strict", Act::Succeed)), flow.add(told("easy", Act::Succeed)));
    flow.after_existing(strict, job).after_existing_any_outcome(easy, job);
    let ids = [flow.id(strict), flow.id(easy)];
    (flow, ids)
}

async fn states(pool: &PgPool, ids: [Uuid; 2]) -> [JobState; 2] {
    [find(pool, ids[0]).await.state, find(pool, ids[1]).await.state]
}

#[tokio::test]
async fn a_job_of_before_is_waited_for_in_whatever_state_it_is() {
    use JobState::{Cancelled, Ready, Waiting};
    let pool = Database::create().await.pool(10).await;
    for live in 0..4 {
        let id = enqueue(&pool, &[told("before", Act::Succeed)]).await[0];
        // Waiting for others, as far as it is told.
        let set = "update queue.job set state = case $2 when 2 then 1 else $2 end,
                          waits_for = case when $2 = 3 then 1 else 0 end,
                          owner = case when $2 = 2 then id end where id = $1";
        sqlx::query(set).bind(id).bind(live).execute(&pool).await.unwrap();
        let (flow, ids) = two_after(id);
        enqueue_flow(&pool, flow).await;
        assert_eq!(unblock_all(&pool).await, (0, 0));
        assert_eq!(states(&pool, ids).await, [Waiting, Waiting], "while the other is in state {live}");
        sqlx::query("update queue.job set state = 1, waits_for = 0, owner = null where id = $1")
            .bind(id)
            .execute(&pool)
            .await
            .unwrap();
        end(&pool, id, if live % 2 == 0 { 4 } else { 7 }).await;
        unblock_all(&pool).await;
        assert_eq!(states(&pool, ids).await, [if live % 2 == 0 { Ready } else { Cancelled }, Ready]);
    }
    for ended in 4..8 {
        let id = enqueue(&pool, &[told("before", Act::Succeed)]).await[0];
        end(&pool, id, ended).await;
        let (flow, ids) = two_after(id);
        enqueue_flow(&pool, flow).await;
        unblock_all(&pool).await;
        let strict = if ended == 4 { Ready } else { Cancelled };
        assert_eq!(states(&pool, ids).await, [strict, Ready], "after an end in state {ended}");
    }
    assert_eq!(count(&pool, "select count(*) from queue.dependency").await, 0);
    is_exact(&pool).await;
}

#[tokio::test]
async fn a_job_that_ends_while_a_flow_is_being_written_waits_for_that() {
    for commits in [true, false] {
        let pool = Database::create().await.pool(20).await;
        let mut worker = Worker::start(&pool).await;
        let id = enqueue(&pool, &[told("before", Act::Wait)]).await[0];
        worker.next().await;
        let (flow, ids) = two_after(id);
        let mut tx = pool.begin().await.unwrap();
        flow.enqueue(&mut tx).await.unwrap();
        worker.stage.gate.add_permits(1);
        until_blocked(&pool).await;
        assert_eq!(find(&pool, id).await.state, JobState::Running);
        if commits {
            tx.commit().await.unwrap();
            for id in ids {
                reaches(&pool, id, JobState::Succeeded).await;
            }
        } else {
            tx.rollback().await.unwrap();
        }
        reaches(&pool, id, JobState::Succeeded).await;
        worker.stop().await;
        assert_eq!(count(&pool, "select count(*) from queue.ended").await, 0);
        is_exact(&pool).await;
    }
}

#[tokio::test]
async fn a_flow_that_is_written_while_a_job_ends_waits_for_that() {
    for (state, is_committed) in [(4, true), (7, true), (7, false)] {
        let pool = Database::create().await.pool(20).await;
        let id = enqueue(&pool, &[told("before", Act::Succeed)]).await[0];
        let claim = "update queue.job set owner = id, claimed_at = now() where id = $1";
        sqlx::query(claim).bind(id).execute(&pool).await.unwrap();
        let mut settling = pool.begin().await.unwrap();
        let failure = (state == 7).then(|| r#"{"error":"told to end"}"#.to_owned());
        settle(&mut settling, id, 0, id, state, failure, (state == 7).then_some("exhausted")).await;
        let (flow, ids) = two_after(id);
        let enqueued = tokio::spawn({
            let pool = pool.clone();
            async move { enqueue_flow(&pool, flow).await }
        });
        until_blocked(&pool).await;
        if is_committed {
            settling.commit().await.unwrap()
        } else {
            settling.rollback().await.unwrap()
        }
        enqueued.await.unwrap();
        unblock_all(&pool).await;
        use JobState::{Cancelled, Ready, Waiting};
        let expected = match (state, is_committed) {
            (4, true) => [Ready, Ready],
            (7, true) => [Cancelled, Ready],
            _ => [Waiting, Waiting],
        };
        assert_eq!(states(&pool, ids).await, expected);
    }
}

#[tokio::test]
async fn two_rounds_at_once_tell_a_job_of_both_its_parents() {
    let pool = Database::create().await.pool(20).await;
    let mut flow = Flow::new();
    let [left, right, child] = ["left", "right", "child"].map(|name| flow.add(told(name, Act::Succeed)));
    flow.after(child, &[left, right]);
    let enqueued = enqueue_flow(&pool, flow).await;
    end(&pool, enqueued.id(left), 4).await;
    let mut first = pool.begin().await.unwrap();
    assert_eq!(unblock(&mut first, 0).await.unwrap().unblocked, 0);
    end(&pool, enqueued.id(right), 4).await;
    let second = tokio::spawn({
        let pool = pool.clone();
        async move { unblock_all(&pool).await }
    });
    until_blocked(&pool).await;
    first.commit().await.unwrap();
    assert_eq!(second.await.unwrap(), (1, 0));
    assert_eq!(find(&pool, enqueued.id(child)).await.state, JobState::Ready);
}

#[tokio::test]
async fn a_round_that_is_cut_off_has_not_happened() {
    let pool = Database::create().await.pool(10).await;
    let mut flow = Flow::new();
    let nodes = flow.chain(["a", "b", "c"].map(|name| told(name, Act::Succeed)));
    let enqueued = enqueue_flow(&pool, flow).await;
    end(&pool, enqueued.id(nodes[0]), 6).await;
    for _ in 0..2 {
        let mut tx = pool.begin().await.unwrap();
        assert_eq!(unblock(&mut tx, 0).await.unwrap().cancelled, 1);
        // What somebody is at work on is left to them.
        assert_eq!(unblock_all(&pool).await, (0, 0));
        let kill = "select pg_terminate_backend(pid) from pg_stat_activity
                     where datname = current_database() and state = 'idle in transaction'";
        sqlx::query(kill).execute(&pool).await.unwrap();
        drop(tx);
        assert_eq!(find(&pool, enqueued.id(nodes[1])).await.state, JobState::Waiting);
    }
    assert_eq!(unblock_all(&pool).await, (0, 2));
    assert_eq!(find(&pool, enqueued.id(nodes[2])).await.state, JobState::Cancelled);
    is_exact(&pool).await;
}

#[tokio::test]
async fn a_job_that_ends_twice_tells_nobody_twice() {
    let pool = Database::create().await.pool(10).await;
    let mut flow = Flow::new();
    let [parent, other, child] = ["parent", "other", "child"].map(|name| flow.add(told(name, Act::Succeed)));
    flow.after_any_outcome(child, &[parent, other]);
    let enqueued = enqueue_flow(&pool, flow).await;
    end(&pool, enqueued.id(parent), 7).await;
    let again = "insert into queue.ended (id, state) values ($1, $2) on conflict (shard, id) do update set state = $2";
    for state in [7_i16, 4] {
        assert_eq!(unblock_all(&pool).await, (0, 0));
        sqlx::query(again).bind(enqueued.id(parent)).bind(state).execute(&pool).await.unwrap();
    }
    assert_eq!(unblock_all(&pool).await, (0, 0));
    assert_eq!(find(&pool, enqueued.id(child)).await.state, JobState::Waiting, "it waits for the other one");
    end(&pool, enqueued.id(other), 4).await;
    assert_eq!(unblock_all(&pool).await, (1, 0));
    assert_eq!(count(&pool, "select count(*) from queue.ended").await, 0);
}

#[tokio::test]
async fn an_operator_may_take_away_a_job_that_waits() {
    let pool = Database::create().await.pool(10).await;
    let mut flow = Flow::new();
    let nodes = flow.chain(["parent", "child"].map(|name| told(name, Act::Succeed)));
    let enqueued = enqueue_flow(&pool, flow).await;
    let (parent, child) = (enqueued.id(nodes[0]), enqueued.id(nodes[1]));
    sqlx::query("delete from queue.job where id = $1").bind(child).execute(&pool).await.unwrap();
    // Its id is used again, for a job that waits for another one.
    let mut flow = Flow::new();
    let (other, again) = (flow.add(told("other", Act::Succeed)), flow.add(told("again", Act::Succeed).id(child)));
    flow.after(again, &[other]);
    enqueue_flow(&pool, flow).await;
    end(&pool, parent, 4).await;
    assert_eq!(unblock_all(&pool).await, (0, 0));
    assert_eq!(find(&pool, child).await.state, JobState::Waiting);
}

/// Jobs and links as flows write them, for as many as no single flow may have.
async fn fill(pool: &PgPool, parents: i32, children: i32) {
    let fill = "
        with new as (
            insert into queue.job (id, queue, kind, state, priority, max_attempts, run_at, created_at, waits_for,
                                   has_dependants, payload)
            select gen_random_uuid(), 'test', 'k', case when n <= $1 then 1 else 3 end, 50, 3, now(), now(),
                   case when n <= $1 then 0 else 1 end, n <= $1, '{}'
              from generate_series(1, $1 + $2) as n
            returning id, state
        ), counted as (
            insert into queue.counter_change (queue, ready, waiting) values ('test', $1, $2)
        ), parent as (
            select id, row_number() over () - 1 as n from new where state = 1
        ), child as (
            select id, row_number() over () - 1 as n from new where state = 3
        )
        insert into queue.dependency (on_job, job, policy)
        select parent.id, child.id, 0 from child join parent on parent.n = child.n % $1";
    sqlx::query(fill).bind(parents).bind(children).execute(pool).await.unwrap();
    let end = "with gone as (delete from queue.job where state = 1 returning id)
               insert into queue.ended (id, state) select id, 4 from gone";
    sqlx::query(end).execute(pool).await.unwrap();
    sqlx::query("insert into queue.counter_change (queue, ready) values ('test', -$1)")
        .bind(parents)
        .execute(pool)
        .await
        .unwrap();
}

/// Scans of whole tables, and links looked at, by this session so far, some of what it did before the transaction included.
async fn reads(conn: &mut PgConnection) -> (i64, i64) {
    let reads = "select sum(seq_scan)::bigint, (sum(idx_tup_fetch) filter (where relname = 'dependency'))::bigint
                   from pg_stat_xact_user_tables
                  where relname in ('job', 'dependency', 'ended')";
    sqlx::query_as(reads).fetch_one(conn).await.unwrap()
}

#[tokio::test]
async fn rounds_are_bounded_and_cost_what_they_tell() {
    let pool = Database::create().await.pool(2).await;
    for (parents, children) in [(1, 100_000), (10_000, 10_000)] {
        fill(&pool, parents, children).await;
        if parents == 1 {
            // With these statistics the other index of the links looks as good, and it is of no use for what comes next.
            sqlx::raw_sql("analyze queue.dependency; analyze queue.job").execute(&pool).await.unwrap();
        }
        let mut conn = pool.acquire().await.unwrap();
        let (mut rounds, mut told, began) = (0, 0, Instant::now());
        loop {
            let mut tx = sqlx::Connection::begin(&mut *conn).await.unwrap();
            let before = reads(&mut tx).await;
            let round = unblock(&mut tx, 0).await.unwrap();
            let after = reads(&mut tx).await;
            tx.commit().await.unwrap();
            assert_eq!(after.0, before.0, "no table is read as a whole");
            assert!(after.1 - before.1 <= 1_000, "{} links were looked at", after.1 - before.1);
            if round.steps == 0 {
                break;
            }
            assert!(round.unblocked <= 1_000 && round.steps <= 2_000, "{round:?}");
            (rounds, told) = (rounds + 1, told + round.unblocked);
        }
        eprintln!("{parents} parents, {children} children: {rounds} rounds, {:?}", began.elapsed());
        drop(conn);
        assert_eq!(told, children as u64);
        assert!(rounds <= children / 1_000 + 1, "{rounds} rounds");
        assert_eq!(count(&pool, "select count(*) from queue.dependency").await, 0);
        assert_eq!(count(&pool, "select count(*) from queue.ended").await, 0);
        assert_eq!(count(&pool, "select count(*) from queue.job where state = 1").await, i64::from(children));
        is_exact(&pool).await;
        sqlx::raw_sql("truncate queue.job, queue.counter_change").execute(&pool).await.unwrap();
    }
}
