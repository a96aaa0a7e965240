//! The typed catalogue of jobs: one file each, with its payload, its policy, `submit` (what the API does, in one
//! transaction) and `run` (what a worker does).

pub mod by_hand;
pub mod catalogue;
pub mod categorize;
pub mod cosign;
pub mod deliver_webhook;
pub mod erase_user;
pub mod expire_holds;
pub mod import;
pub mod import_products;
pub mod import_users;
pub mod keep_events;
pub mod metrics;
pub mod mirror;
pub mod mirror_to_erlang;
pub mod open_wallets;
pub mod process_users;
pub mod progress;
pub mod publish_checkpoint;
pub mod reconcile;
pub mod record_transaction;
pub mod reindex;
pub mod replay_webhooks;
pub mod retention;
pub mod send_webhook;
pub mod submitted;
pub mod sweep_imports;
pub mod sweep_webhooks;
pub mod webhooks;
pub mod witness;

use std::sync::Arc;

pub use catalogue::catalogue;

use domain::accounts::Owners;
use ledger::keys::SigningKey;
use queue::{BoxError, Registry};

/// Where the signing keys come from, the one in force first; asked anew for each checkpoint, so that a rotation needs no
/// restart.
pub type SigningKeys = Box<dyn Fn() -> Result<Vec<SigningKey>, BoxError> + Send + Sync>;

/// What jobs need besides the database.
pub struct State {
    signing_keys: SigningKeys,
    owners: Owners,
    books: ledger::posting::Memory,
    webhooks: webhooks::client::Client,
    mirror: Option<mirror::Mirror>,
    witnesses: Option<witness::Witnesses>,
}

impl State {
    /// Signs the ledger's checkpoints with what `signing_keys` gives.
    pub fn new(signing_keys: SigningKeys) -> State {
        State {
            signing_keys,
            owners: Owners::default(),
            books: ledger::posting::Memory::default(),
            webhooks: webhooks::client::Client::default(),
            mirror: None,
            witnesses: None,
        }
    }

    /// Signs the ledger's checkpoints with one key.
    pub fn of_key(key: SigningKey) -> State {
        State::new(Box::new(move || Ok(vec![key.clone()])))
    }

    /// With this client for webhooks instead of one that reaches public addresses only.
    #[must_use]
    pub fn with_webhooks(self, webhooks: webhooks::client::Client) -> State {
        State { webhooks, ..self }
    }

    /// With an Erlang ledger that is told what ours records.
    #[must_use]
    pub fn with_mirror(self, mirror: Option<mirror::Mirror>) -> State {
        State { mirror, ..self }
    }

    /// The Erlang ledger, if there is one.
    pub(crate) fn mirror(&self) -> Option<&mirror::Mirror> {
        self.mirror.as_ref()
    }

    /// With witnesses that sign the ledger's checkpoints too.
    #[must_use]
    pub fn with_witnesses(self, witnesses: Option<witness::Witnesses>) -> State {
        State { witnesses, ..self }
    }

    /// The witnesses, if there are some.
    pub(crate) fn witnesses(&self) -> Option<&witness::Witnesses> {
        self.witnesses.as_ref()
    }

    /// Posts webhooks.
    pub(crate) fn webhooks(&self) -> &webhooks::client::Client {
        &self.webhooks
    }

    /// Whose accounts are whose.
    fn owners(&self) -> &Owners {
        &self.owners
    }

    /// What this process remembers of the books that it posts to.
    fn books(&self) -> &ledger::posting::Memory {
        &self.books
    }

    /// The keys that sign now.
    fn signing_keys(&self) -> Result<Vec<SigningKey>, BoxError> {
        (self.signing_keys)()
    }
}

/// Every job that a worker can run.
pub fn registry(state: State) -> Registry {
    let (has_mirror, has_witnesses) = (state.mirror.is_some(), state.witnesses.is_some());
    let registry = Registry::new()
        .batch::<record_transaction::RecordTransaction>()
        .job::<open_wallets::OpenWallets>()
        .job::<categorize::Categorize>()
        .job::<erase_user::EraseUser>()
        .job::<import_users::ImportUsers>()
        .job::<import_products::ImportProducts>()
        .job::<process_users::ProcessUsers>()
        .job::<sweep_imports::SweepImports>()
        .schedule(sweep_imports::schedule())
        .job::<retention::Retention>()
        .schedule(retention::schedule())
        .job::<publish_checkpoint::PublishCheckpoint>()
        .schedule(publish_checkpoint::sweep())
        .job::<expire_holds::ExpireHolds>()
        .schedule(expire_holds::sweep())
        .job::<deliver_webhook::DeliverWebhook>()
        .limit(webhooks::limit())
        .job::<replay_webhooks::ReplayWebhooks>()
        .job::<sweep_webhooks::SweepWebhooks>()
        .schedule(sweep_webhooks::schedule())
        .job::<keep_events::KeepEvents>()
        .schedule(keep_events::schedule())
        .state(Arc::new(state));
    let registry = cosign::register(reindex::register(reconcile::register(registry)), has_witnesses);
    mirror_to_erlang::register(registry, has_mirror)
}

/// The queue of everything that writes to the ledger.
pub const LEDGER_QUEUE: &str = "ledger";

/// The queue of work on users.
pub const ACCOUNTS_QUEUE: &str = "accounts";

/// The queue of work on products.
pub const PRODUCTS_QUEUE: &str = "products";

/// The queue of what is sent to endpoints of users, whose slowness holds up nothing else.
pub const WEBHOOKS_QUEUE: &str = "webhooks";

/// The queue of what an Erlang ledger outside is told, and what witnesses are asked.
pub const MIRROR_QUEUE: &str = "mirror";

/// Every queue, most urgent first.
pub const QUEUES: [&str; 5] = [LEDGER_QUEUE, ACCOUNTS_QUEUE, PRODUCTS_QUEUE, WEBHOOKS_QUEUE, MIRROR_QUEUE];
