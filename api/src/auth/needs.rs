//! What each operation needs of its caller, said once: the attribute puts it into the document, and what the document says is what is
//! checked.

use std::sync::LazyLock;

use domain::Role;
use domain::access::scope::{Scope, Scopes};
use poem_openapi::OAuthScopes;
use poem_openapi::registry::MetaOAuthScope;

/// What the document says of tokens: the scopes, and which role has which.
pub(crate) static SCHEME: LazyLock<String> = LazyLock::new(|| {
    let line = |scope: &Scope| {
        let has = |role: &Role| Scopes::of_role(*role).has(*scope);
        let roles: Vec<&str> = Role::ALL.iter().filter(|role| has(role)).map(|role| role.as_str()).collect();
        format!("| `{}` | {} | {} |", scope.as_str(), scope.meaning().trim(), roles.join(", "))
    };
    let lines: Vec<String> = Scope::ALL.iter().map(line).collect();
    format!(
        "A session's token (`bns_…`, from createSession) or an API key (`bnx_live_…`). It has the scopes of its user's role, and an API \
         key may have fewer. A user sees and changes only what is theirs, whatever the scope.\n\n\
         | scope | allows | roles |\n|---|---|---|\n{}",
        lines.join("\n")
    )
});

/// A scope as poem-openapi takes it: `#[oai(scope = "needs::USERS_READ")] caller: Caller`.
pub(crate) struct Needs(Scope);

impl OAuthScopes for Needs {
    fn meta() -> Vec<MetaOAuthScope> {
        let scope = |scope: &Scope| MetaOAuthScope { name: scope.as_str(), description: Some(scope.meaning().trim()) };
        Scope::ALL.iter().map(scope).collect()
    }

    fn name(&self) -> &'static str {
        self.0.as_str()
    }
}

pub(crate) const USERS_READ: Needs = Needs(Scope::UsersRead);
pub(crate) const USERS_WRITE: Needs = Needs(Scope::UsersWrite);
pub(crate) const USERS_ADMIN: Needs = Needs(Scope::UsersAdmin);
pub(crate) const CREDENTIALS_WRITE: Needs = Needs(Scope::CredentialsWrite);
pub(crate) const PRODUCTS_READ: Needs = Needs(Scope::ProductsRead);
pub(crate) const PRODUCTS_WRITE: Needs = Needs(Scope::ProductsWrite);
pub(crate) const PRODUCTS_ADMIN: Needs = Needs(Scope::ProductsAdmin);
pub(crate) const TRANSACTIONS_READ: Needs = Needs(Scope::TransactionsRead);
pub(crate) const TRANSACTIONS_WRITE: Needs = Needs(Scope::TransactionsWrite);
pub(crate) const LEDGER_READ: Needs = Needs(Scope::LedgerRead);
pub(crate) const LEDGER_ADMIN: Needs = Needs(Scope::LedgerAdmin);
pub(crate) const JOBS_READ: Needs = Needs(Scope::JobsRead);
pub(crate) const JOBS_WRITE: Needs = Needs(Scope::JobsWrite);
pub(crate) const QUEUES_READ: Needs = Needs(Scope::QueuesRead);
pub(crate) const QUEUES_ADMIN: Needs = Needs(Scope::QueuesAdmin);
pub(crate) const JOBS_ADMIN: Needs = Needs(Scope::JobsAdmin);
pub(crate) const WEBHOOKS_READ: Needs = Needs(Scope::WebhooksRead);
pub(crate) const WEBHOOKS_WRITE: Needs = Needs(Scope::WebhooksWrite);
pub(crate) const AUDIT_READ: Needs = Needs(Scope::AuditRead);
