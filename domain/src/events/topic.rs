//! What events are addressed to.

use uuid::Uuid;

/// The ledger as a whole: checkpoints, reconciliation. For staff.
pub const LEDGER: &str = "ledger";

/// E-mails to be sent, with the secrets that they carry. Nobody follows it through the API.
pub const MAIL: &str = "mail";

/// What a user may know: their own account, wallets, products and transactions.
pub fn user(id: Uuid) -> String {
    format!("user:{id}")
}

/// One transaction, for whoever may read it.
pub fn transaction(id: Uuid) -> String {
    format!("transactions:{id}")
}

/// One job, for whoever may read it.
pub fn job(id: Uuid) -> String {
    format!("jobs:{id}")
}
