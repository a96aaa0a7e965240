//! Breaks: what does not agree, and its life: open, assigned, resolved, written off, each change with who and why.

use chrono::{DateTime, Utc};
use ledger::reconcile::Class;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Severity;
use crate::error::Error;
use crate::page::{Listed, Page};
use crate::principal::Principal;

/// The states of a break, by their names.
pub const STATES: [&str; 4] = ["open", "assigned", "resolved", "written_off"];

/// Something that does not agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Break {
    /// Its name.
    pub id: Uuid,
    /// The check that found it, `R1` to `R12`.
    pub class: String,
    /// What exactly does not agree.
    pub sub_class: String,
    /// By class, amount and age, as of the last run.
    pub severity: String,
    /// What it is about.
    pub subject_kind: String,
    /// The name of that.
    pub subject: String,
    /// The difference in minor units.
    pub amount: Option<i64>,
    /// ISO 4217.
    pub currency: Option<String>,
    /// The difference in words.
    pub detail: String,
    /// One of [`STATES`].
    pub state: String,
    /// Who looks after it.
    pub assignee: Option<String>,
    /// Why it was closed.
    pub resolution: Option<String>,
    /// The run that found it first.
    pub first_run: Uuid,
    /// The last run that found it.
    pub last_run: Uuid,
    /// How many runs found it.
    pub seen: i64,
    /// Its age counts from here.
    pub first_seen_at: DateTime<Utc>,
    /// When it was found last.
    pub last_seen_at: DateTime<Utc>,
    /// When a run repaired it.
    pub healed_at: Option<DateTime<Utc>>,
}

/// A change of a break's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The state before; none at the beginning.
    pub from_state: Option<String>,
    /// The state after.
    pub to_state: String,
    /// Who did it.
    pub who: String,
    /// Why.
    pub why: String,
    /// When.
    pub changed_at: DateTime<Utc>,
}

/// Which breaks to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only of this class.
    pub class: Option<Class>,
    /// Only in this state; none: those that are open or assigned.
    pub state: Option<String>,
    /// Only of this severity.
    pub severity: Option<Severity>,
    /// Only those that this run found or carried forward, in whatever state they are.
    pub run: Option<Uuid>,
    /// Which page.
    pub page: Page,
}

/// What is to become of a break.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// One of [`STATES`].
    pub state: String,
    /// Who is to look after it: needed to assign it.
    pub assignee: Option<String>,
    /// Why: kept with the change.
    pub why: String,
}

fn only_staff(principal: &Principal) -> Result<(), Error> {
    if principal.is_staff() {
        Ok(())
    } else {
        Err(Error::Forbidden("only an operator or an administrator sees breaks"))
    }
}

/// A page of breaks, oldest first.
///
/// # Errors
/// [`Error::Forbidden`] to users; when the database fails.
pub async fn list(conn: &mut PgConnection, principal: &Principal, filter: &Filter) -> Result<Listed<Break>, Error> {
    only_staff(principal)?;
    let rows = sqlx::query_as!(
        Break,
        "select id, class, sub_class, severity, subject_kind, subject, amount, currency, detail, state, assignee,
                resolution, first_run, last_run, seen, first_seen_at, last_seen_at, healed_at
         from reconciliation.break
         where shard = $1
           and book = $2
           and ($3::text is null or class = $3)
           and (state = $4 or ($4::text is null and (state in ('open', 'assigned') or $6::uuid is not null)))
           and ($5::text is null or severity = $5)
           and ($6::uuid is null or id in (select break_id from reconciliation.run_break where shard = $1 and run_id = $6))
           and ($7::uuid is null or id > $7)
         order by id
         limit $8",
        principal.book.shard,
        principal.book.id,
        filter.class.map(Class::as_str),
        filter.state.as_deref(),
        filter.severity.map(Severity::as_str),
        filter.run,
        filter.page.after,
        filter.page.fetch_limit(),
    )
    .fetch_all(conn)
    .await?;
    Ok(filter.page.cut(rows))
}

/// A break with its life, oldest change first.
///
/// # Errors
/// [`Error::Forbidden`] to users; [`Error::NotFound`]; when the database fails.
pub async fn find(conn: &mut PgConnection, principal: &Principal, id: Uuid) -> Result<(Break, Vec<Change>), Error> {
    only_staff(principal)?;
    let found = sqlx::query_as!(
        Break,
        "select id, class, sub_class, severity, subject_kind, subject, amount, currency, detail, state, assignee,
                resolution, first_run, last_run, seen, first_seen_at, last_seen_at, healed_at
         from reconciliation.break
         where shard = $1 and book = $2 and id = $3",
        principal.book.shard,
        principal.book.id,
        id,
    )
    .fetch_optional(&mut *conn)
    .await?
    .ok_or(Error::NotFound)?;
    let changes = sqlx::query_as!(
        Change,
        "select from_state, to_state, who, why, changed_at
         from reconciliation.break_change
         where shard = $1 and break_id = $2
         order by number",
        principal.book.shard,
        id,
    )
    .fetch_all(conn)
    .await?;
    Ok((found, changes))
}

/// Changes a break's state by hand, in the caller's transaction. The same state again is a note, or another assignee.
///
/// # Errors
/// [`Error::Forbidden`] to users; [`Error::NotFound`]; [`Error::Invalid`] for an assignment to nobody or a state that is
/// none; when the database fails.
pub async fn change(
    conn: &mut PgConnection,
    principal: &Principal,
    id: Uuid,
    wanted: &Transition,
) -> Result<(), Error> {
    only_staff(principal)?;
    if !STATES.contains(&wanted.state.as_str()) {
        return Err(Error::field("/state", "unknown_value", format!("must be one of {}", STATES.join(", "))));
    }
    if wanted.state == "assigned" && wanted.assignee.is_none() {
        return Err(Error::field("/assignee", "required", "a break is assigned to somebody"));
    }
    if wanted.why.trim().is_empty() {
        return Err(Error::field("/why", "blank", "a change says why"));
    }
    set(conn, principal.book.shard, principal.book.id, id, wanted, &principal.user_id.to_string()).await
}

/// Changes a break's state and writes the change into its life.
pub(super) async fn set(
    conn: &mut PgConnection,
    shard: i16,
    book: i32,
    id: Uuid,
    wanted: &Transition,
    who: &str,
) -> Result<(), Error> {
    let changed = sqlx::query!(
        "with before as (
             select id, state
             from reconciliation.break
             where shard = $1 and book = $2 and id = $3
             for update
         ),
         noted as (
             insert into reconciliation.break_change (shard, break_id, number, from_state, to_state, who, why)
             select $1, before.id, coalesce(last.number, 0) + 1, before.state, $4, $6, $7
             from before
             left join lateral (
                 select max(number) as number
                 from reconciliation.break_change
                 where shard = $1 and break_id = before.id
             ) as last on true
         )
         update reconciliation.break as b
         set state = $4,
             assignee = coalesce($5, b.assignee),
             resolution = case when $4 in ('resolved', 'written_off') then $7 end,
             changed_at = now()
         from before
         where b.shard = $1 and b.id = before.id",
        shard,
        book,
        id,
        wanted.state,
        wanted.assignee.as_deref(),
        who,
        wanted.why,
    )
    .execute(conn)
    .await?;
    if changed.rows_affected() == 0 { Err(Error::NotFound) } else { Ok(()) }
}

/// Marks breaks as repaired by a run: resolved, with what was done.
///
/// # Errors
/// When the database fails.
pub async fn heal(conn: &mut PgConnection, book: ledger::Book, run: Uuid, id: Uuid, what: &str) -> Result<(), Error> {
    let wanted = Transition { state: "resolved".to_owned(), assignee: None, why: format!("repaired: {what}") };
    set(conn, book.shard, book.id, id, &wanted, &format!("run {run}")).await?;
    sqlx::query!(
        "update reconciliation.break
         set healed_at = now()
         where shard = $1 and id = $2",
        book.shard,
        id,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A break that a run may repair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repairable {
    /// The break.
    pub id: Uuid,
    /// Its class.
    pub class: String,
    /// What exactly does not agree.
    pub sub_class: String,
    /// The name of what it is about.
    pub subject: String,
}

/// The open breaks that this run found and that have a safe repair: projections of the log, and lost work.
///
/// # Errors
/// When the database fails.
pub async fn repairable(conn: &mut PgConnection, book: ledger::Book, run: Uuid) -> sqlx::Result<Vec<Repairable>> {
    sqlx::query_as!(
        Repairable,
        "select id, class, sub_class, subject
         from reconciliation.break
         where shard = $1
           and book = $2
           and exists (select from reconciliation.run_break as k where k.shard = $1 and k.run_id = $3 and k.break_id = id)
           and state in ('open', 'assigned')
           and (class, sub_class) in (
               ('R2', 'balance'), ('R2', 'version'),
               ('R4', 'held'), ('R4', 'no_hold'), ('R4', 'ended'), ('R4', 'not_listed'), ('R4', 'expiry'), ('R4', 'accounts'),
               ('R7', 'job_lost'), ('R7', 'verdict_missing')
           )
         order by class, id",
        book.shard,
        book.id,
        run,
    )
    .fetch_all(conn)
    .await
}
