//! Imports a file of products: `products.import`.

use std::time::Duration;

use queue::{Job, JobContext, JobError, Priority, Retry};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::import;

/// Deals with the file of the import that has the job's id.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, example = ImportProducts { shard: 0 })]
pub struct ImportProducts {
    /// Where the import lies.
    pub(crate) shard: i16,
}

impl Job for ImportProducts {
    const KIND: &'static str = "products.import";
    const QUEUE: &'static str = crate::PRODUCTS_QUEUE;
    /// After what somebody waits for.
    const PRIORITY: Priority = Priority::LOW;
    const RETRY: Retry = Retry::exponential(Duration::from_secs(2)).max_attempts(10);
    const CANCEL_GRACE: Duration = import::CANCEL_GRACE;

    async fn run(self, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
        import::run(ctx, self.shard).await
    }
}
