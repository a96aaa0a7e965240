//! A ledger with transactions, an Erlang node, and a job that tells it when it is told to.

use domain::mirror::{self, Row};
use jobs::State;
use jobs::mirror::Mirror;
use jobs::mirror::node::Address;
use ledger::Book;
use ledger::keys::SigningKey;
use queue::Registry;
use queue::testing::{Outcome, run_inline};
use serde_json::json;
use sqlx::PgPool;
use tests::erlang::Erlang;

use crate::ledger_kit::{Bench, transfer};

/// A ledger, and the node.
pub(super) struct Kit {
    pub(super) bench: Bench,
    pub(super) pool: PgPool,
    pub(super) erlang: Erlang,
}

impl Kit {
    /// None where there is no Erlang.
    pub(super) async fn start(is_kept: bool) -> Option<Kit> {
        let erlang = Erlang::start(is_kept).await?;
        let bench = Bench::create(20).await;
        let pool = bench.database.pool(8).await;
        Some(Kit { bench, pool, erlang })
    }

    /// Records so many transactions.
    pub(super) async fn record(&mut self, count: usize) {
        let wallets = self.bench.wallets.clone();
        let postings: Vec<_> = (0..count).map(|n| transfer(self.bench.cash, wallets[n % wallets.len()], 5)).collect();
        for batch in postings.chunks(500) {
            self.bench.post(batch).await;
        }
    }

    /// Every job, with this node as its Erlang ledger.
    pub(super) fn registry(&self, address: Address) -> Registry {
        let key = SigningKey::generate("test.example/main").unwrap();
        jobs::registry(State::of_key(key).with_mirror(Some(Mirror::new(address))))
    }

    /// Does one round, and tells how the node is then.
    pub(super) async fn round(&self, address: Address) -> Row {
        let payload = json!({ "shard": 0, "book_id": 1 });
        let job = jobs::catalogue::find("ledger.mirror_to_erlang").unwrap().job(&payload).unwrap();
        let ran = run_inline(&self.pool, &self.registry(address), job).await;
        assert!(matches!(ran.outcome, Outcome::Snoozed { .. }), "{:?}", ran.outcome);
        self.row().await.unwrap()
    }

    /// The mirror's row.
    pub(super) async fn row(&self) -> Option<Row> {
        mirror::list(&mut self.pool.acquire().await.unwrap(), Book::MAIN).await.unwrap().pop()
    }
}
