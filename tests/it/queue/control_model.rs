//! Random operations, against a small model: what state each job should be in, and that no counter is ever wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use queue::control::{Filter, LimitRule, Select};
use queue::inspect::JobState;
use queue::{NewJob, Priority, Random};
use sqlx::{PgPool, Row};
use tests::database::Database;
use uuid::Uuid;

use super::control::{assert_counters_hold, operate};
use super::support::{Act, QUEUE, enqueue, told};

/// How many operations a run has.
const STEPS: usize = 120;
/// The process in whose name the model claims.
const PROCESS: Uuid = Uuid::from_u128(1);
const KIND: &str = "test.told";

/// What the model knows of a job; states are numbers, as in the tables.
#[derive(Debug, Clone, Copy)]
struct Known {
    state: i32,
    is_limited: bool,
    is_sequence: bool,
    /// It keeps its place of its sequence.
    holds_place: bool,
    is_aside: bool,
    is_due_later: bool,
}

impl Known {
    /// Where a job goes that has nothing more to wait for than its limit.
    fn due_state(&self) -> i32 {
        if self.is_limited && !self.holds_place { 3 } else { 1 }
    }

    /// What it lets go of when it ends.
    fn end(&mut self, state: i32) {
        (self.state, self.holds_place, self.is_aside, self.is_due_later) = (state, false, false, false);
    }
}

struct Model {
    pool: PgPool,
    random: Random,
    jobs: BTreeMap<Uuid, Known>,
    is_paused: bool,
}

impl Model {
    async fn new(seed: u64) -> Model {
        let pool = Database::create().await.pool(3).await;
        let process = "insert into queue.process (id, pid, host, queues, started_at, heartbeat_at, expires_at)
                       values ($1, 1, 'h', '{}', now(), now(), now() + '1 hour')";
        sqlx::query(process).bind(PROCESS).execute(&pool).await.unwrap();
        let _ = operate!(pool, set_limit, "mail", LimitRule { running_max: Some(2), rate: None });
        Model { pool, random: Random::seeded(seed), jobs: BTreeMap::new(), is_paused: false }
    }

    fn below(&mut self, number: usize) -> usize {
        (self.random.next_unit() * number as f64) as usize
    }

    /// About a third of the jobs.
    fn some_ids(&mut self) -> Vec<Uuid> {
        let ids: Vec<Uuid> = self.jobs.keys().copied().collect();
        ids.into_iter().filter(|_| self.below(3) == 0).collect()
    }

    async fn enqueue(&mut self) {
        let jobs: Vec<NewJob> = (0..1 + self.below(6))
            .map(|_| {
                let key = self.below(3).to_string();
                let job = match self.below(3) {
                    0 => told("a", Act::Succeed),
                    1 => told("a", Act::Succeed).limit("mail", key),
                    _ => told("a", Act::Succeed).sequence(key),
                };
                if self.below(3) == 0 { job.delay(Duration::from_secs(3_600)) } else { job }
            })
            .collect();
        enqueue(&self.pool, &jobs).await;
        let rows =
            sqlx::query("select id, state, limit_name is not null, is_sequence from queue.job where id = any ($1)");
        let ids: Vec<Uuid> = jobs.iter().map(|job| job.id).collect();
        for row in rows.bind(&ids).fetch_all(&self.pool).await.unwrap() {
            let state = i32::from(row.get::<i16, _>(1));
            let known = Known {
                state,
                is_limited: row.get(2),
                is_sequence: row.get(3),
                holds_place: false,
                is_aside: false,
                is_due_later: state == 0,
            };
            self.jobs.insert(row.get(0), known);
        }
    }

    /// Takes note of what a claim returned, and checks that it could.
    fn claimed(&mut self, rows: Vec<sqlx::postgres::PgRow>, from: i32) {
        for row in rows {
            let known = self.jobs.get_mut(&row.get("id!")).expect("only what was enqueued is claimed");
            assert!(known.state == from && !known.is_aside, "{known:?}");
            known.state = 2;
            known.holds_place = known.is_sequence;
        }
    }

    async fn claim(&mut self) {
        let any = self.below(self.jobs.len());
        let any = self.jobs.keys().copied().nth(any);
        let lone = sqlx::query(include_str!("../../../queue/src/claim/lone.sql")).bind(0_i16).bind(PROCESS);
        let rows = lone.bind(QUEUE).bind(any).fetch_all(&self.pool).await.unwrap();
        self.claimed(rows, 1);
        let ready = sqlx::query(include_str!("../../../queue/src/claim/ready.sql")).bind(0_i16).bind(PROCESS);
        let whole = ready.bind([QUEUE]).bind([3_i32]).bind([1_i32]).bind([0_i16]);
        let end = DateTime::from_timestamp(4_000_000_000, 0).unwrap();
        let beginning = DateTime::from_timestamp(0, 0).unwrap();
        let rows = whole.bind([beginning]).bind([99_i16]).bind([end]).fetch_all(&self.pool).await.unwrap();
        self.claimed(rows, 1);
        let keys = sqlx::query(include_str!("../../../queue/src/claim/keys.sql")).bind(0_i16).bind([QUEUE]);
        let keys = keys.bind([""]).bind([""]).bind(100_i32).fetch_all(&self.pool).await.unwrap();
        let open: Vec<(String, String)> = keys.iter().map(|row| (row.get("name!"), row.get("key!"))).collect();
        let (names, keys): (Vec<String>, Vec<String>) = open.into_iter().unzip();
        let limited = sqlx::query(include_str!("../../../queue/src/claim/limited.sql")).bind(0_i16).bind(PROCESS);
        let limited = limited.bind(vec![QUEUE; names.len()]).bind(&names).bind(&keys).bind(vec![2_i32; names.len()]);
        let limited = limited.bind(vec![0_i16; names.len()]).bind(vec![beginning; names.len()]);
        let rows = limited.fetch_all(&self.pool).await.unwrap();
        self.claimed(rows, 3);
    }

    /// One that runs succeeds, fails, dies or is laid aside.
    async fn settle(&mut self) {
        let running: Vec<Uuid> = self.jobs.iter().filter(|(_, known)| known.state == 2).map(|(id, _)| *id).collect();
        if running.is_empty() {
            return;
        }
        let id = running[self.below(running.len())];
        let state = [4_i16, 0, 7, 3][self.below(4)];
        let claim = "select epoch, claimed_at, ctid::text from queue.job where id = $1";
        let (epoch, claimed_at, ctid): (i32, DateTime<Utc>, String) =
            sqlx::query_as(claim).bind(id).fetch_one(&self.pool).await.unwrap();
        if state == 4 {
            let settle = sqlx::query(include_str!("../../../queue/src/settle/succeeded.sql")).bind(0_i16).bind([id]);
            let settle = settle.bind([epoch]).bind([PROCESS]).bind([claimed_at]).bind([ctid]).bind([None::<String>]);
            let left = settle.fetch_one(&self.pool).await.unwrap().get::<Option<Vec<Uuid>>, _>("settled");
            assert_eq!(left, None, "all of them are settled");
        } else {
            let failure = matches!(state, 0 | 7).then_some(r#"{"error": "told to", "chain": []}"#);
            let settle = sqlx::query(include_str!("../../../queue/src/settle/any.sql")).bind(0_i16).bind([id]);
            let settle = settle.bind([epoch]).bind([PROCESS]).bind([state]);
            let settle = settle.bind([(state == 0).then_some(3_600.0_f64)]).bind([state == 3]).bind([failure]);
            let settle = settle.bind([(state == 7).then_some("exhausted")]).bind([claimed_at]);
            let settled = settle.fetch_one(&self.pool).await.unwrap();
            assert_eq!(settled.get::<Vec<Uuid>, _>(0), [id]);
        }
        let is_paused = self.is_paused;
        let known = self.jobs.get_mut(&id).expect("it runs");
        match state {
            0 => (known.state, known.is_due_later) = (0, true),
            3 if is_paused => (known.state, known.is_aside) = (3, true),
            3 => known.state = known.due_state(),
            end => known.end(end.into()),
        }
    }

    /// One thing that an operator does, to jobs in any state: the model says what that means for each.
    async fn operate(&mut self) {
        let ids = self.some_ids();
        let select = Select::Ids(ids.clone());
        let later = DateTime::from_timestamp(4_000_000_000, 0).unwrap();
        let earlier = DateTime::from_timestamp(1_000_000_000, 0).unwrap();
        let action = self.below(7);
        let answer = match action {
            0 => operate!(self.pool, cancel, &select),
            1 => operate!(self.pool, delete, &select),
            2 => operate!(self.pool, retry_now, &select),
            3 => operate!(self.pool, reschedule, &select, later),
            4 => operate!(self.pool, reschedule, &select, earlier),
            5 => operate!(self.pool, prioritise, &select, Priority::HIGH),
            _ => operate!(self.pool, redrive, &select),
        };
        let mut changed = 0;
        for id in &ids {
            let known = self.jobs.get_mut(id).expect("it was chosen among them");
            let state = known.state;
            match (action, state) {
                (0, 0 | 1 | 3) => known.end(6),
                (0, 2) => {}
                (1, 0 | 1 | 3 | 7) => drop(self.jobs.remove(id)),
                (2, 0) => (known.state, known.is_due_later) = (known.due_state(), false),
                (3, 0 | 1 | 3) => {
                    known.is_due_later = true;
                    known.state = if known.is_aside { 3 } else { 0 };
                }
                (4, 0 | 1 | 3) => {
                    known.is_due_later = false;
                    known.state = if known.is_aside { 3 } else { known.due_state() };
                }
                (5, 0 | 1 | 3) => {}
                (6, 7) => known.state = known.due_state(),
                _ => continue,
            }
            changed += 1;
        }
        assert_eq!((answer.matched, answer.changed), (ids.len() as u64, changed), "{action}");
    }

    async fn cancel_what_waits(&mut self) {
        let filter = Filter { states: vec![JobState::Scheduled, JobState::Waiting], ..Filter::kind(KIND) };
        let _ = operate!(self.pool, cancel, &filter.into());
        for known in self.jobs.values_mut().filter(|known| matches!(known.state, 0 | 3)) {
            known.end(6);
        }
    }

    async fn pause_or_resume(&mut self) {
        if !self.is_paused {
            let _ = operate!(self.pool, pause_kind, KIND);
            self.is_paused = true;
            return;
        }
        let _ = operate!(self.pool, resume_kind, KIND);
        self.is_paused = false;
        for known in self.jobs.values_mut().filter(|known| known.is_aside) {
            known.is_aside = false;
            known.state = if known.is_due_later { 0 } else { known.due_state() };
        }
    }

    /// Every job is where the model says, and nowhere else.
    async fn assert_agrees(&self) {
        let everywhere = "select id, case when owner is null then state::integer else 2 end from queue.job union all
                          select id, state::integer from queue.job_history union all
                          select id, 7 from queue.dead_job order by id";
        let found: Vec<(Uuid, i32)> = sqlx::query_as(everywhere).fetch_all(&self.pool).await.unwrap();
        assert_eq!(found, self.jobs.iter().map(|(id, known)| (*id, known.state)).collect::<Vec<_>>());
        assert_counters_hold(&self.pool).await;
    }
}

async fn run(seed: u64) {
    let mut model = Model::new(seed).await;
    for step in 0..STEPS {
        match model.below(20) {
            0..5 => model.enqueue().await,
            5..8 => model.claim().await,
            8..12 => model.settle().await,
            12..18 => model.operate().await,
            18 => model.pause_or_resume().await,
            _ => model.cancel_what_waits().await,
        }
        if step % 4 == 0 || step + 1 == STEPS {
            model.assert_agrees().await;
        }
    }
    // Enough of everything has happened.
    let states: std::collections::BTreeSet<i32> = model.jobs.values().map(|known| known.state).collect();
    assert!(states.contains(&6) && states.contains(&4), "seed {seed}: {states:?}");
}

#[tokio::test]
async fn random_operations_leave_every_job_and_every_counter_where_they_should_be() {
    for seed in 0..6 {
        run(seed).await;
    }
}
