//! What has been enqueued and has not ended.

use std::any::type_name;

use serde::de::DeserializeOwned;
use sqlx::PgConnection;

use crate::payload::{Reader, Stored};
use crate::{BatchJob, Job};

/// The live jobs of this kind, oldest first.
///
/// # Panics
/// When the database fails, or a payload cannot be read, as sealed ones cannot.
pub async fn enqueued<J: Job>(conn: &mut PgConnection) -> Vec<J> {
    live(conn, J::KIND, Reader::of::<J>(None)).await
}

/// As [`enqueued`], of a kind that runs in batches.
///
/// # Panics
/// As [`enqueued`].
pub async fn enqueued_batch<J: BatchJob>(conn: &mut PgConnection) -> Vec<J> {
    live(conn, J::KIND, Reader::of_batch::<J>(None)).await
}

/// Returns the oldest live job of this kind that is as wanted.
///
/// # Panics
/// When there is none, and as [`enqueued`].
#[track_caller]
pub fn assert_enqueued<J: Job>(conn: &mut PgConnection, is_wanted: impl Fn(&J) -> bool) -> impl Future<Output = J> {
    let caller = std::panic::Location::caller();
    async move { pick(enqueued(conn).await, is_wanted, caller) }
}

/// As [`assert_enqueued`], of a kind that runs in batches.
///
/// # Panics
/// As [`assert_enqueued`].
#[track_caller]
pub fn assert_batch_enqueued<J: BatchJob>(
    conn: &mut PgConnection,
    is_wanted: impl Fn(&J) -> bool,
) -> impl Future<Output = J> {
    let caller = std::panic::Location::caller();
    async move { pick(enqueued_batch(conn).await, is_wanted, caller) }
}

async fn live<T: DeserializeOwned>(conn: &mut PgConnection, kind: &str, reader: Reader<'_>) -> Vec<T> {
    let rows = sqlx::query!(
        r#"
        select id, version, payload::text as "payload!"
          from queue.job
         where kind = $1
         order by created_at, run_at, id
        "#,
        kind,
    );
    let rows = rows.fetch_all(conn).await.expect("the test's database answers");
    let read = |id, version, text: &str| reader.read(Stored { id, version, text });
    rows.iter()
        .map(|row| read(row.id, row.version, &row.payload).unwrap_or_else(|error| panic!("job {}: {error}", row.id)))
        .collect()
}

fn pick<J>(jobs: Vec<J>, is_wanted: impl Fn(&J) -> bool, caller: &std::panic::Location<'_>) -> J {
    let number = jobs.len();
    let found = jobs.into_iter().find(is_wanted);
    found.unwrap_or_else(|| panic!("{caller}: of {number} live {}, none is as wanted", type_name::<J>()))
}
