//! Assigns categories to products by rules: to one product, or to all of a book.

use std::time::Duration;

use domain::products::{self, NewProduct, Product, categorize};
use domain::{Error, Principal, ProductId};
use ledger::Book;
use queue::{Job, JobContext, JobError, NewJob, Notifier, Unique};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgPool;
use uuid::Uuid;

use crate::progress::Progress;
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

/// Where the next step of a run over all products begins.
#[derive(Debug, Serialize, Deserialize)]
struct Cursor {
    after: Uuid,
    progress: Progress,
    changed: u64,
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
    let job = job(principal, Some(product.id));
    let job_id = job.id;
    queue::enqueue(&mut tx, &[job]).await.map_err(crate::record_transaction::enqueue_error)?;
    let created = Created { product, job_id };
    submitted::finish(&mut tx, principal, repeatable, &created).await?;
    tx.commit().await?;
    notifier.wake(Categorize::QUEUE);
    Ok(Submitted::Done(created))
}

/// Enqueues the job for one product, which has to be the caller's own unless the caller is staff, or for every product of the book;
/// returns the job to follow. One that has not begun yet does for all who ask.
///
/// # Errors
/// [`Error::NotFound`] when the product is not there, or not the caller's; [`Error::IdempotencyMismatch`]; when the database fails.
pub async fn submit_again(
    pool: &PgPool,
    notifier: &Notifier,
    principal: &Principal,
    product: Option<ProductId>,
    repeatable: Option<&Repeatable<Uuid>>,
) -> Result<Submitted<Uuid>, Error> {
    let mut tx = pool.begin().await?;
    if let Some(kept) = submitted::begin(&mut tx, principal, repeatable).await? {
        return Ok(Submitted::Replayed(kept));
    }
    if let Some(id) = product {
        products::find_own(&mut tx, principal, id).await?;
    }
    let key = product.map_or_else(|| format!("book {}", principal.book.id), |id| id.to_string());
    let job = job(principal, product).unique(key, Unique::UntilStarted);
    let enqueued = queue::enqueue(&mut tx, &[job]).await.map_err(crate::record_transaction::enqueue_error)?;
    let job_id = enqueued[0].id;
    submitted::finish(&mut tx, principal, repeatable, &job_id).await?;
    tx.commit().await?;
    notifier.wake(Categorize::QUEUE);
    Ok(Submitted::Done(job_id))
}

fn job(principal: &Principal, product: Option<ProductId>) -> NewJob {
    let Book { shard, id: book_id } = principal.book;
    let payload = Categorize { shard, book_id, product_id: product.map(|id| id.0) };
    NewJob::of(&payload).expect("the payload is plain data").actor(principal.user_id.to_string())
}

impl Job for Categorize {
    const KIND: &'static str = "products.categorize";
    const QUEUE: &'static str = crate::PRODUCTS_QUEUE;
    /// From step to step.
    const TIMEOUT: Duration = Duration::from_secs(60);

    async fn run(self, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
        let book = Book { shard: self.shard, id: self.book_id };
        match self.product_id {
            Some(product) => {
                categorize::one(ctx.tx().await?, book, ProductId(product)).await?;
                Ok(())
            }
            None => run_all(ctx, book).await,
        }
    }
}

/// All products, in steps of a commit each.
async fn run_all(ctx: &mut JobContext<'_>, book: Book) -> Result<(), JobError> {
    let (mut after, mut progress, mut changed) = match ctx.cursor::<Cursor>().await? {
        Some(cursor) => (Some(ProductId(cursor.after)), cursor.progress, cursor.changed),
        None => (None, Progress::of(products::batch::count(ctx.tx().await?, book).await?), 0),
    };
    loop {
        let step = categorize::next(ctx.tx().await?, book, after).await?;
        progress.add(step.batch.products);
        changed += step.changed;
        after = step.batch.resume_after;
        let Some(ProductId(id)) = after else {
            return ctx.set_result(&json!({ "products": progress.done, "changed": changed }));
        };
        ctx.commit_step(&Cursor { after: id, progress, changed }).await?;
        ctx.progress(&progress.shown()).await?;
    }
}
