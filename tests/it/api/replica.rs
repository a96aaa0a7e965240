//! Lists and searches on a hot standby: read there while it is current, and from the primary as soon as it is late, away, or breaks off.

use std::time::Duration;

use api::Limits;
use futures::future::join;
use ledger::Currency;
use serde_json::json;
use sqlx::PgPool;
use tests::people;
use tests::proxy::{Held, Proxy};
use tests::server::Server;
use tests::wait::until_async;

use super::harness::{Api, Caller};
use super::protection::rates;

/// How long what must happen may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

const USERS: &str = "/api/v1/users?limit=200";

/// An API with a hot standby, whose log can be held back and whose network can be cut.
struct Pair {
    api: Api,
    /// A connection to the standby that the API knows nothing of.
    standby: PgPool,
    proxy: Proxy,
    _servers: [Server; 2],
}

impl Pair {
    async fn start(lag_max: Duration) -> Pair {
        let server = Server::start(&["fsync=off"]);
        let primary = PgPool::connect(&server.url("postgres")).await.unwrap();
        cli::migrations::migrate(&primary).await.unwrap();
        let copy = server.standby();
        let standby = PgPool::connect(&copy.url("postgres")).await.unwrap();
        let proxy = Proxy::start(copy.folder());
        // Nothing is asked before a read, so that a test can tell a read from that question.
        let replica = queue::steady_pool_options().acquire_timeout(Duration::from_secs(1));
        let replica = replica.connect_lazy(&copy.url_through(proxy.folder(), "postgres")).unwrap();
        let limits = Limits { replica_lag_max: lag_max, ..rates(|_| {}) };
        let api = Api::start_on(primary, Some(replica), limits).await;
        Pair { api, standby, proxy, _servers: [server, copy] }
    }

    /// Has the standby apply nothing more, once it has what the primary has now.
    async fn hold_back(&self) {
        let wanted: i64 = number(&self.api.pool, "select (pg_current_wal_flush_lsn() - '0/0')::bigint").await;
        wait(&self.standby, &format!("select pg_last_wal_replay_lsn() - '0/0' >= {wanted}")).await;
        sqlx::query("select pg_wal_replay_pause()").execute(&self.standby).await.unwrap();
        wait(&self.standby, "select pg_get_wal_replay_pause_state() = 'paused'").await;
    }

    async fn go_on(&self) {
        sqlx::query("select pg_wal_replay_resume()").execute(&self.standby).await.unwrap();
    }

    /// A user that the API did not make.
    async fn newcomer(&self) -> String {
        let person = people::customer(&self.api.pool, &self.api.principal, Currency::GBP).await;
        format!("/api/v1/users/{}", person.principal.user_id)
    }

    /// Waits until this list has so many.
    async fn wait_for(&self, path: &str, wanted: usize) {
        let has_them = async || (count(&self.api.admin, path).await == wanted).then_some(());
        until_async(&format!("{path} to have {wanted}"), PATIENCE, has_them).await;
    }
}

async fn number(pool: &PgPool, statement: &'static str) -> i64 {
    sqlx::query_scalar(statement).fetch_one(pool).await.unwrap()
}

/// Waits until this is true.
async fn wait(pool: &PgPool, question: &str) {
    let is_true = async || {
        let answer = sqlx::query_scalar::<_, bool>(sqlx::AssertSqlSafe(question)).fetch_one(pool).await;
        answer.unwrap().then_some(())
    };
    until_async(question, PATIENCE, is_true).await;
}

/// How many a list has.
async fn count(caller: &Caller, path: &str) -> usize {
    let answer = caller.get(path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    answer.json()["items"].as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_and_searches_are_read_there_and_one_thing_is_not() {
    let pair = Pair::start(Duration::from_secs(3_600)).await;
    let other = pair.api.again().await;
    pair.hold_back().await;
    let user = pair.newcomer().await;
    let to = people::customer(&pair.api.pool, &pair.api.principal, Currency::GBP).await;
    let amount = json!({ "amount": "2.50", "currency": "GBP" });
    let created = [
        other.admin.post("/api/v1/products", &json!({ "sku": "A1", "name": "Lantern", "price": amount })).await,
        other
            .admin
            .post("/api/v1/transactions", &json!({ "type": "deposit", "to": to.wallet, "amount": amount }))
            .await,
        other.admin.post("/api/v1/webhooks", &json!({ "url": "https://example.org/hook" })).await,
    ];
    let places =
        created.map(|answer| answer.header("location").unwrap_or_else(|| panic!("{}", answer.text)).to_owned());
    pair.wait_for(USERS, 1).await;
    let lists = ["products", "products/search?q=lantern", "transactions", "webhooks"];
    for list in lists {
        let path = format!("/api/v1/{list}");
        assert_eq!((count(&pair.api.admin, &path).await, count(&other.admin, &path).await), (0, 1), "{path}");
    }
    for one in places.iter().chain([&user]) {
        assert_eq!(pair.api.admin.get(one).await.status, 200, "{one} is never late");
    }
    pair.go_on().await;
    pair.wait_for(USERS, 3).await;
    for list in lists {
        pair.wait_for(&format!("/api/v1/{list}"), 1).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_primary_is_read_when_it_is_late_or_away_or_the_caller_has_just_written() {
    let pair = Pair::start(Duration::from_millis(1_500)).await;
    let writer = pair.api.operator().await;
    pair.hold_back().await;
    pair.newcomer().await;
    pair.wait_for(USERS, 2).await;
    // Nothing but its lateness can bring this about: it goes on applying nothing.
    pair.wait_for(USERS, 3).await;
    pair.go_on().await;
    pair.hold_back().await;
    pair.newcomer().await;
    pair.wait_for(USERS, 3).await;
    assert_eq!(writer.post("/api/v1/products", &json!({})).await.status, 422);
    assert_eq!(count(&writer, USERS).await, 4, "who writes sees it");
    pair.wait_for(USERS, 4).await;
    pair.go_on().await;
    pair.hold_back().await;
    pair.newcomer().await;
    pair.wait_for(USERS, 4).await;
    pair.proxy.hold(Held { up: true, down: true });
    pair.proxy.cut_all();
    assert_eq!(count(&pair.api.admin, USERS).await, 5, "away");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_was_promoted_is_read_no_more() {
    let pair = Pair::start(Duration::from_secs(3_600)).await;
    pair.hold_back().await;
    pair.newcomer().await;
    pair.wait_for(USERS, 1).await;
    pair.go_on().await;
    pair.wait_for(USERS, 2).await;
    wait(&pair.standby, "select pg_promote()").await;
    pair.newcomer().await;
    pair.wait_for(USERS, 3).await;
    let users = "select count(*) from app.account_user";
    assert_eq!(number(&pair.standby, users).await + 1, number(&pair.api.pool, users).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_that_it_breaks_off_is_made_on_the_primary() {
    let pair = Pair::start(Duration::from_secs(3_600)).await;
    pair.hold_back().await;
    pair.newcomer().await;
    pair.wait_for(USERS, 1).await;
    let since = "select clock_timestamp()::text";
    let since: String = sqlx::query_scalar(since).fetch_one(&pair.standby).await.unwrap();
    pair.proxy.hold(Held { up: false, down: true });
    let cut = async {
        // The read has been carried out there, and its answer is on the way.
        let read = format!(
            "select count(*) > 0 from pg_stat_activity
             where pid <> pg_backend_pid() and state = 'idle' and query like '%app.account_user%'
               and state_change > '{since}'"
        );
        wait(&pair.standby, &read).await;
        pair.proxy.cut_all();
    };
    let (found, ()) = join(count(&pair.api.admin, USERS), cut).await;
    assert_eq!(found, 2);
}
