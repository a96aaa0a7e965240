//! Every kind of event: what docs/EVENTS.md lists, and what webhooks may ask for.

/// A kind of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// Its stable name.
    pub name: &'static str,
    /// Whom it is for.
    pub topics: &'static str,
    /// The members of its payload, all of them always there.
    pub payload: &'static str,
    /// When it is published.
    pub when: &'static str,
}

const TRANSACTION: &str =
    "v, transaction_id, type, status, from, to, amount, legs, reverses, resolves, seq, recorded_at, reason";
const FOLLOWED: &str = "v, transaction_id, by, is_part, seq, recorded_at";
const OF_TRANSACTION: &str = "`transactions:<id>`, `user:<id>` of each owner of its accounts";
const OF_USER: &str = "`user:<id>`";
const OF_LEDGER: &str = "`ledger`";

const fn kind(name: &'static str, topics: &'static str, payload: &'static str, when: &'static str) -> Kind {
    Kind { name, topics, payload, when }
}

/// All of them.
pub const KINDS: &[Kind] = &[
    kind("transaction.accepted", OF_TRANSACTION, TRANSACTION, "with the commit that saves the request"),
    kind("transaction.recorded", OF_TRANSACTION, TRANSACTION, "with the commit that writes it in the ledger"),
    kind("transaction.held", OF_TRANSACTION, TRANSACTION, "the same, of a hold"),
    kind("transaction.rejected", OF_TRANSACTION, TRANSACTION, "with the commit that keeps the ledger's refusal"),
    kind("transaction.reversed", OF_TRANSACTION, FOLLOWED, "about the original, when a reversal is recorded"),
    kind("transaction.posted", OF_TRANSACTION, FOLLOWED, "about the hold, when its post is recorded"),
    kind("transaction.voided", OF_TRANSACTION, FOLLOWED, "about the hold, when its void is recorded"),
    kind("transaction.expired", OF_TRANSACTION, FOLLOWED, "about the hold, when its time is over"),
    kind(
        "balance.changed",
        OF_USER,
        "v, account_id, balance, held_out, held_in, version",
        "with the commit that changes it: one for each account and commit, however many transactions that has",
    ),
    kind("wallet.opened", OF_USER, "v, user_id, account_id, currency", "when the ledger's account is open"),
    kind("user.created", OF_USER, "v, user_id", "with the commit; not for each row of an import"),
    kind("user.updated", OF_USER, "v, user_id", "when a profile, role or status changes"),
    kind("user.deleted", OF_USER, "v, user_id", "with the commit"),
    kind("user.erased", OF_USER, "v, user_id, transactions", "when everything personal is gone"),
    kind("product.created", OF_USER, "v, product_id, owner_id", "with the commit; not for each row of an import"),
    kind(
        "product.updated",
        OF_USER,
        "v, product_id, owner_id",
        "when somebody changes it, or a rule the category of this one alone",
    ),
    kind(
        "job.progressed",
        "`jobs:<id>`",
        "v, job_id, kind, state, progress",
        "when a job that was asked for tells how far it is",
    ),
    kind(
        "job.ended",
        "`jobs:<id>`",
        "v, job_id, kind, state, progress",
        "when it has succeeded or was cancelled, discarded or given up (`dead`)",
    ),
    kind("ledger.checkpoint", OF_LEDGER, "v, size", "when a checkpoint is signed"),
    kind("ledger.reconciled", OF_LEDGER, "v, run_id, state, open, digest", "at the end of a reconciliation"),
    kind("ledger.break", OF_LEDGER, "v, break_id, run_id, class, sub_class, subject", "for each new break"),
    kind(
        "webhook.disabled",
        OF_USER,
        "v, webhook_id, reason",
        "when a webhook is disabled because it is `gone` or `failing`",
    ),
    kind(
        "password_reset.requested",
        "`mail`",
        "v, user_id, token, expires_at",
        "for a mailer that reads the log; followed by nobody else",
    ),
];

/// The kind of that name.
pub fn find(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

/// The table of docs/EVENTS.md.
pub fn table() -> String {
    let row = |kind: &Kind| {
        let members: Vec<String> = kind.payload.split(", ").map(|member| format!("`{member}`")).collect();
        format!("| `{}` | {} | {} | {} |\n", kind.name, kind.topics, members.join(", "), kind.when)
    };
    let rows: String = KINDS.iter().map(row).collect();
    format!("| kind | topics | payload | when |\n|---|---|---|---|\n{rows}")
}
