//! Welcomes a new user.

use std::time::Duration;

use domain::UserId;
use domain::events::{self, Event};
use ledger::Book;
use queue::{Job, JobContext, JobError, Retry};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

/// Tells whoever follows the user that we are here to help.
#[derive(Debug, Serialize, Deserialize)]
pub struct Welcome {
    /// Whom to welcome.
    pub user_id: Uuid,
}

impl Job for Welcome {
    const KIND: &'static str = "accounts.welcome";
    const QUEUE: &'static str = jobs::ACCOUNTS_QUEUE;
    const RETRY: Retry = Retry::exponential(Duration::from_secs(1)).max_attempts(10);

    async fn run(self, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
        let topic = format!("user:{}", UserId(self.user_id));
        let event = Event::new("test.welcomed", [topic], &json!({ "user_id": self.user_id }));
        // The job's completion joins this transaction: both are committed, or neither.
        events::publish(ctx.tx().await?, Book::MAIN, &[event]).await?;
        Ok(())
    }
}
