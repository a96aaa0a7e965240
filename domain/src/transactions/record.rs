//! The worker's side: what the ledger needs to record accepted transactions, and how its verdict is kept.

use chrono::{DateTime, Utc};
use ledger::posting::Posting;
use ledger::{AccountId, Act, Book, Leg, TransactionId};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Ended, Kind, Leg as RequestLeg, Status, legs};

/// A transaction that is to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToRecord {
    /// The book that it is recorded in.
    pub book: Book,
    /// How far it has come; anything but pending means that there is nothing to do.
    pub status: Status,
    /// Whether its words and their salt are erased: then its metadata hash is not what was recorded.
    pub is_erased: bool,
    /// How far the transaction that it reverses, posts or voids has come.
    pub original_status: Option<Status>,
    /// The account that is debited.
    pub from: AccountId,
    /// The account that is credited.
    pub to: AccountId,
    /// In minor units.
    pub amount: i64,
    /// ISO 4217.
    pub currency: String,
    /// All of its legs where they are more than from, to and amount tell; else none.
    pub legs: Vec<RequestLeg>,
    /// What the ledger is asked to post.
    pub posting: Posting,
}

/// A row of `app.transaction` with its original's status.
struct Row {
    book_id: i32,
    id: Uuid,
    kind: String,
    from_account: Uuid,
    to_account: Uuid,
    amount: i64,
    currency: String,
    product_id: Option<Uuid>,
    quantity: Option<i32>,
    reverses: Option<Uuid>,
    resolves: Option<Uuid>,
    act: Option<String>,
    expires_at: Option<DateTime<Utc>>,
    leg_count: Option<i16>,
    reference: Option<String>,
    description: Option<String>,
    effective_at: DateTime<Utc>,
    created_at: DateTime<Utc>,
    metadata_salt: Option<Vec<u8>>,
    status: String,
    original_status: Option<String>,
}

/// What the ledger is to record, in the order in which it was accepted. To be called in the job's own transaction, whose
/// later statements are planned each time.
///
/// # Errors
/// When the database fails.
pub async fn load(conn: &mut PgConnection, shard: i16, ids: &[TransactionId]) -> sqlx::Result<Vec<ToRecord>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    // A plan that was made while the table was empty reads all of it, and would be kept for the life of the connection.
    sqlx::query!("select set_config('plan_cache_mode', 'force_custom_plan', true)").fetch_one(&mut *conn).await?;
    let rows = sqlx::query_as!(
        Row,
        r#"select wanted.book_id, wanted.id, wanted.kind, wanted.from_account, wanted.to_account, wanted.amount,
                  wanted.currency, wanted.product_id, wanted.quantity, wanted.reverses, wanted.resolves, wanted.act,
                  wanted.expires_at, wanted.leg_count, wanted.reference, wanted.description, wanted.effective_at,
                  wanted.created_at, wanted.metadata_salt, wanted.status, original.status as "original_status?"
           from unnest($2::uuid[]) as input (id)
           -- `offset 0` keeps each look-up as it stands, one in the primary key for each id: by the statistics of a table
           -- that has just begun to grow, the planner would rather read all of the shard.
           cross join lateral (
               select *
               from app.transaction
               where shard = $1 and id = input.id
               offset 0
           ) as wanted
           left join lateral (
               select status
               from app.transaction
               where shard = $1 and id = coalesce(wanted.reverses, wanted.resolves)
               offset 0
           ) as original on true
           order by wanted.id"#,
        shard,
        &ids,
    )
    .fetch_all(&mut *conn)
    .await?;
    let with_legs: Vec<Uuid> = rows.iter().filter(|row| row.leg_count.is_some()).map(|row| row.id).collect();
    let legs = legs::load(conn, shard, &with_legs).await?;
    let own = |row: &Row| legs.get(&TransactionId(row.id)).cloned().unwrap_or_default();
    Ok(rows.into_iter().map(|row| (own(&row), row)).map(|(legs, row)| to_record(shard, row, legs)).collect())
}

/// What the ledger is asked to do, with the amounts of its legs in minor units.
fn act_and_legs(row: &Row, kind: Kind, legs: &[RequestLeg]) -> (Act, Vec<Leg>) {
    let original = row.reverses.or(row.resolves).map(TransactionId);
    let is_part = row.act.as_deref() == Some("part");
    let act = match (kind, original) {
        (Kind::Reversal, Some(original)) if is_part => Act::ReversePart(original),
        (Kind::Reversal, Some(original)) => Act::Reverse(original),
        (Kind::Post, Some(hold)) => Act::Capture(hold),
        (Kind::Void, Some(hold)) => return (Act::Void(hold), Vec::new()),
        _ if row.act.as_deref() == Some("hold") => Act::Hold { expires_at: row.expires_at },
        _ => Act::Post,
    };
    if legs.is_empty() {
        let amount = i128::from(row.amount);
        let (from, to) = (AccountId(row.from_account), AccountId(row.to_account));
        return (act, vec![Leg { account: from, amount: -amount }, Leg { account: to, amount }]);
    }
    (act, legs.iter().map(|leg| Leg { account: leg.account, amount: leg.amount.minor }).collect())
}

fn to_record(shard: i16, row: Row, legs: Vec<RequestLeg>) -> ToRecord {
    let status = |name: &str| Status::parse(name).expect("a check constraint holds the names of states");
    let kind = Kind::parse(&row.kind).expect("a check constraint holds the names of kinds");
    assert_eq!(legs.len(), usize::try_from(row.leg_count.unwrap_or(0)).unwrap_or(0), "a request has all of its legs");
    let (act, posted) = act_and_legs(&row, kind, &legs);
    let posting = Posting {
        id: TransactionId(row.id),
        code: kind.code(),
        legs: posted,
        // Whoever gives no time has the time of the request here: such a transaction counts from when it is recorded.
        effective_at: (row.effective_at != row.created_at).then_some(row.effective_at),
        act,
        metadata_hash: metadata_hash(&row),
        linked: false,
    };
    ToRecord {
        book: Book { shard, id: row.book_id },
        status: status(&row.status),
        is_erased: row.metadata_salt.is_none(),
        original_status: row.original_status.as_deref().map(status),
        from: AccountId(row.from_account),
        to: AccountId(row.to_account),
        amount: row.amount,
        currency: row.currency,
        legs,
        posting,
    }
}

/// What stands in the ledger's leaf for the caller's words: SHA-256 over the salt and each field, length first, so that
/// no two sets of fields give the same bytes. Erasing salt and words later leaves a hash that tells nothing.
fn metadata_hash(row: &Row) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"bitnexus/transaction-metadata/v1");
    let quantity = row.quantity.map(|quantity| quantity.to_string());
    let product = row.product_id.map(|product| product.to_string());
    let texts = [product, quantity, row.reference.clone(), row.description.clone()];
    for field in std::iter::once(row.metadata_salt.as_deref())
        .chain(texts.iter().map(|text| text.as_ref().map(|text| text.as_bytes())))
    {
        let length = field.map_or(u32::MAX, |bytes| u32::try_from(bytes.len()).expect("fields are short"));
        hash.update(length.to_be_bytes());
        hash.update(field.unwrap_or_default());
    }
    hash.finalize().into()
}

/// What the ledger said of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is in the log.
    Recorded {
        /// Its place there.
        seq: i64,
        /// When it was recorded.
        recorded_at: DateTime<Utc>,
    },
    /// It never will be.
    Rejected {
        /// The named refusal.
        reason: String,
    },
}

/// Keeps the verdicts, in the transaction of the ledger's own rows.
///
/// # Errors
/// When the database fails.
pub async fn settle(conn: &mut PgConnection, shard: i16, verdicts: &[(TransactionId, Verdict)]) -> sqlx::Result<()> {
    if verdicts.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = verdicts.iter().map(|(id, _)| id.0).collect();
    let of = |verdict: &Verdict| match verdict {
        Verdict::Recorded { seq, recorded_at } => (Some(*seq), Some(*recorded_at), None),
        Verdict::Rejected { reason } => (None, None, Some(reason.clone())),
    };
    let (mut seqs, mut times, mut reasons) = (Vec::new(), Vec::new(), Vec::new());
    for (seq, time, reason) in verdicts.iter().map(|(_, verdict)| of(verdict)) {
        seqs.push(seq);
        times.push(time);
        reasons.push(reason);
    }
    let settled = sqlx::query!(
        "with verdict as materialized (
             select input.*, found.place
             from unnest($2::uuid[], $3::bigint[], $4::timestamptz[], $5::text[]) as input (id, seq, recorded_at, reason)
             cross join lateral (
                 select ctid as place
                 from app.transaction
                 where shard = $1 and id = input.id
                 offset 0
             ) as found
         )
         update app.transaction as wanted
         set status = case when verdict.reason is null then 'recorded' else 'rejected' end,
             seq = verdict.seq,
             recorded_at = verdict.recorded_at,
             reason = verdict.reason
         from verdict
         -- By place: the ledger's head is locked, so nobody else moves the row.
         where wanted.ctid = verdict.place and wanted.status = 'pending'",
        shard,
        &ids,
        &seqs as &[Option<i64>],
        &times as &[Option<DateTime<Utc>>],
        &reasons as &[Option<String>],
    )
    .execute(conn)
    .await?;
    assert_eq!(settled.rows_affected(), verdicts.len() as u64, "each verdict is for a transaction that was pending");
    Ok(())
}

/// Keeps how these holds ended, in the transaction of what ended them.
///
/// # Errors
/// When the database fails.
pub async fn end(conn: &mut PgConnection, shard: i16, ends: &[(TransactionId, Ended)]) -> sqlx::Result<()> {
    if ends.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = ends.iter().map(|(hold, _)| hold.0).collect();
    let names: Vec<&str> = ends.iter().map(|(_, ended)| ended.as_str()).collect();
    sqlx::query!(
        "with hold as materialized (
             select found.place, input.ended
             from unnest($2::uuid[], $3::text[]) as input (id, ended)
             cross join lateral (
                 select ctid as place
                 from app.transaction
                 where shard = $1 and id = input.id
                 offset 0
             ) as found
         )
         update app.transaction as wanted
         set ended = hold.ended
         from hold
         -- By place: the ledger's head is locked, so nobody else moves the row. A hold of somebody else's has none.
         where wanted.ctid = hold.place",
        shard,
        &ids,
        &names as &[&str],
    )
    .execute(conn)
    .await?;
    Ok(())
}
