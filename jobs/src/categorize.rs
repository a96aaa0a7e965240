//! Assigns categories to products by rules: to one product, or to all of a book.

use domain::products::{self, NewProduct, Product, categorize};
use domain::{Error, Principal, ProductId};
use ledger::Book;
use queue::{Job, JobContext, JobError, NewJob, Notifier};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use uuid::Uuid;

use crate::submitted::{self, Repeatable, Submitted};

/// Categorises one product, or every product of the book.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, example = Categorize { shard: 0, book_id: 1, product_id: None })]
pub struct Categorize {
    /// Where the book lives.
    shard: i16,
    /// The book.
    book_id: i32,
    /// The product; without one, every product.
    product_id: Option<Uuid>,
}

/// A product and the job that categorises it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// The product, without a category yet.
    pub product: Product,
    /// The job to follow.
    pub job_id: Uuid,
}

/// Creates the product and enqueues the job, in one commit.
///
/// # Errors
/// As [`products::create`]; [`Error::IdempotencyMismatch`].
pub async fn submit(
    pool: &PgPool,
    notifier: &Notifier,
    principal: &Principal,
    new: &NewProduct,
    repeatable: Option<&Repeatable<Created>>,
) -> Result<Submitted<Created>, Error> {
    let mut tx = pool.begin().await?;
    if let Some(kept) = submitted::begin(&mut tx, principal, repeatable).await? {
        return Ok(Submitted::Replayed(kept));
    }
    let product = products::create(&mut tx, principal, new).await?;
    let Book { shard, id: book_id } = principal.book;
    let job = Categorize { shard, book_id, product_id: Some(product.id.0) };
    let job = NewJob::of(&job).expect("the payload is plain data").actor(principal.user_id.to_string());
    let job_id = job.id;
    queue::enqueue(&mut tx, &[job]).await.map_err(crate::record_transaction::enqueue_error)?;
    let created = Created { product, job_id };
    submitted::finish(&mut tx, principal, repeatable, &created).await?;
    tx.commit().await?;
    notifier.wake(Categorize::QUEUE);
    Ok(Submitted::Done(created))
}

impl Job for Categorize {
    const KIND: &'static str = "products.categorize";
    const QUEUE: &'static str = crate::PRODUCTS_QUEUE;

    async fn run(self, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
        let book = Book { shard: self.shard, id: self.book_id };
        let tx = ctx.tx().await?;
        if let Some(product) = self.product_id {
            categorize::one(tx, book, ProductId(product)).await?;
            return Ok(());
        }
        let mut after = None;
        loop {
            after = categorize::page(tx, book, after).await?.resume_after;
            if after.is_none() {
                return Ok(());
            }
        }
    }
}
