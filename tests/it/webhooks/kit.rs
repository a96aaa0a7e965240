//! Users with endpoints, events for them, and a worker that does one thing when it is told to.

use std::time::Duration;

use domain::events::{self, Event, catalogue, topic};
use domain::webhooks::deliveries::{self, Delivery, Filter};
use domain::webhooks::endpoints::{self, NewEndpoint};
use domain::webhooks::reach::Reach;
use domain::webhooks::secret::Secret;
use domain::webhooks::{Endpoint, attempts};
use domain::{Principal, UserId};
use jobs::webhooks::client::Client;
use jobs::webhooks::dispatch;
use jobs::{State, WEBHOOKS_QUEUE};
use ledger::keys::SigningKey;
use ledger::{Book, Currency};
use queue::testing::{Ran, drain};
use queue::{Notifier, Registry};
use serde_json::Value;
use sqlx::PgPool;
use tests::database::Database;
use tests::people;
use tests::receiver::Receiver;
use uuid::Uuid;

/// The reach of a service whose endpoints are on the same machine.
pub(super) fn loopback() -> Reach {
    Reach::with(vec!["127.0.0.0/8".parse().unwrap()])
}

/// Every job, with a client that reaches the machine itself and is not patient.
pub(super) fn registry() -> Registry {
    let client = Client::new(loopback(), Vec::new()).timeout(Duration::from_secs(2));
    let key = SigningKey::generate("test.example/main").unwrap();
    jobs::registry(State::of_key(key).with_webhooks(client))
}

/// The facts of an event of this kind: all that it has, and nothing in them.
pub(super) fn facts(kind: &str) -> Value {
    let members = catalogue::find(kind).unwrap().payload.split(", ");
    let facts: Value = members.map(|member| (member.to_owned(), Value::Null)).collect();
    facts
}

/// A database with an administrator.
pub(super) struct Kit {
    pub(super) database: Database,
    pub(super) pool: PgPool,
    pub(super) admin: Principal,
    registry: Registry,
    notifier: Notifier,
}

impl Kit {
    pub(super) async fn start() -> Kit {
        let database = Database::create().await;
        let pool = database.pool(8).await;
        let admin = people::admin(&pool).await;
        // What a worker declares when it starts.
        let limit =
            "insert into queue.limit_rule (name, running_max, changed_at) values ('webhooks.endpoint', 2, now())";
        sqlx::query(limit).execute(&pool).await.unwrap();
        let notifier = Notifier::spawn(pool.clone());
        Kit { database, pool, admin, registry: registry(), notifier }
    }

    pub(super) async fn user(&self) -> Principal {
        people::newcomer(&self.pool, &self.admin, Currency::GBP).await.principal
    }

    /// An endpoint of this user at the receiver, for these kinds.
    pub(super) async fn endpoint(&self, owner: &Principal, receiver: &Receiver, kinds: &[&str]) -> (Endpoint, Secret) {
        self.endpoint_of(owner, receiver, kinds, false).await
    }

    pub(super) async fn endpoint_of(
        &self,
        owner: &Principal,
        receiver: &Receiver,
        kinds: &[&str],
        takes_book: bool,
    ) -> (Endpoint, Secret) {
        let kinds = kinds.iter().map(|kind| (*kind).to_owned()).collect();
        let new = NewEndpoint { url: receiver.url(), description: None, kinds, takes_book };
        let mut tx = self.pool.begin().await.unwrap();
        let made = endpoints::create(&mut tx, owner, &new, &loopback()).await.unwrap();
        tx.commit().await.unwrap();
        made
    }

    /// The endpoint as it is now.
    pub(super) async fn now(&self, owner: &Principal, endpoint: &Endpoint) -> Endpoint {
        endpoints::find(&mut self.pool.acquire().await.unwrap(), owner, endpoint.id).await.unwrap()
    }

    /// Something happened that concerns these users.
    pub(super) async fn happen(&self, kind: &'static str, users: &[UserId]) {
        let topics: Vec<String> = users.iter().map(|user| topic::user(user.0)).collect();
        self.happen_on(kind, topics).await;
    }

    pub(super) async fn happen_on(&self, kind: &'static str, topics: Vec<String>) {
        let event = Event::new(kind, topics, &facts(kind));
        events::publish(&mut self.pool.acquire().await.unwrap(), Book::MAIN, &[event]).await.unwrap();
    }

    /// Turns what happened into deliveries; how many.
    pub(super) async fn dispatch(&self) -> usize {
        dispatch::look(&self.pool, &self.notifier, 0).await.unwrap()
    }

    /// Runs the jobs that are due.
    pub(super) async fn run(&self) -> Vec<Ran> {
        drain(&self.pool, &self.registry, WEBHOOKS_QUEUE).await
    }

    /// Both.
    pub(super) async fn deliver(&self) -> Vec<Ran> {
        self.dispatch().await;
        self.run().await
    }

    /// The deliveries to an endpoint, the oldest first.
    pub(super) async fn deliveries(&self, owner: &Principal, endpoint: &Endpoint) -> Vec<Delivery> {
        let mut conn = self.pool.acquire().await.unwrap();
        let listed = deliveries::list(&mut conn, owner, endpoint, &Filter::default()).await.unwrap();
        listed.items.into_iter().rev().collect()
    }

    /// The attempts at a delivery.
    pub(super) async fn attempts(&self, delivery: Uuid) -> Vec<attempts::Attempt> {
        attempts::list(&mut self.pool.acquire().await.unwrap(), 0, delivery).await.unwrap()
    }

    pub(super) async fn execute(&self, statement: &'static str) {
        sqlx::raw_sql(statement).execute(&self.pool).await.unwrap();
    }
}
