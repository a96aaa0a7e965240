//! Scopes: what one operation asks of its caller. A role is a named set of them, and an API key has some of its user's.

use std::fmt;

use crate::principal::Role;

/// Defines the scopes with their stable names and what they allow, once for code, database and document.
macro_rules! scopes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// What a caller may do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Scope {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Scope {
            /// Every scope, in the order of the documentation.
            pub const ALL: &'static [Scope] = &[$(Scope::$variant),+];

            /// Its stable name, such as `transactions:write`.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Scope::$variant => $name),+
                }
            }

            /// What it allows, for a person.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Scope::$variant => concat!($($doc),+)),+
                }
            }
        }
    };
}

scopes! {
    /// Read users and their wallets.
    UsersRead = "users:read",
    /// Change users' profiles.
    UsersWrite = "users:write",
    /// Create, suspend, erase and delete users, and give them roles.
    UsersAdmin = "users:admin",
    /// Change one's own password, sessions and API keys.
    CredentialsWrite = "credentials:write",
    /// Read products and categories.
    ProductsRead = "products:read",
    /// Create and change products.
    ProductsWrite = "products:write",
    /// Change categories and their rules, and rebuild what searches use.
    ProductsAdmin = "products:admin",
    /// Read transactions and accounts.
    TransactionsRead = "transactions:read",
    /// Move money.
    TransactionsWrite = "transactions:write",
    /// Read the log of everything recorded, and proofs of it.
    LedgerRead = "ledger:read",
    /// Reconcile, and settle breaks.
    LedgerAdmin = "ledger:admin",
    /// Read jobs.
    JobsRead = "jobs:read",
    /// Cancel and retry jobs.
    JobsWrite = "jobs:write",
    /// Read queues, schedules and workers.
    QueuesRead = "queues:read",
    /// Pause queues, set limits, change schedules, and change many jobs at once.
    QueuesAdmin = "queues:admin",
    /// Enqueue any kind of job.
    JobsAdmin = "jobs:admin",
    /// Read webhooks and what was delivered to them.
    WebhooksRead = "webhooks:read",
    /// Create and change webhooks, which are told of everything that is yours, and replay deliveries.
    WebhooksWrite = "webhooks:write",
    /// Read what operators did.
    AuditRead = "audit:read",
}

impl Scope {
    /// The scope of that name.
    pub fn parse(name: &str) -> Option<Scope> {
        Scope::ALL.iter().copied().find(|scope| scope.as_str() == name)
    }

    const fn bit(self) -> u32 {
        1 << self as u8
    }
}

/// A set of scopes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Scopes(u32);

impl Scopes {
    /// What every user may do, always within what is theirs.
    const USER: Scopes = Scopes::of(&[
        Scope::UsersRead,
        Scope::UsersWrite,
        Scope::CredentialsWrite,
        Scope::ProductsRead,
        Scope::ProductsWrite,
        Scope::TransactionsRead,
        Scope::TransactionsWrite,
        Scope::LedgerRead,
        Scope::JobsRead,
        Scope::JobsWrite,
        Scope::WebhooksRead,
        Scope::WebhooksWrite,
    ]);
    /// What whoever runs the service may do besides.
    const OPERATOR: Scopes = Scopes::of(&[
        Scope::ProductsAdmin,
        Scope::LedgerAdmin,
        Scope::QueuesRead,
        Scope::QueuesAdmin,
        Scope::AuditRead,
    ]);

    /// The set of these.
    pub const fn of(scopes: &[Scope]) -> Scopes {
        let (mut bits, mut index) = (0, 0);
        while index < scopes.len() {
            bits |= scopes[index].bit();
            index += 1;
        }
        Scopes(bits)
    }

    /// What a role may do.
    pub const fn of_role(role: Role) -> Scopes {
        match role {
            Role::User => Scopes::USER,
            Role::Operator => Scopes(Scopes::USER.0 | Scopes::OPERATOR.0),
            Role::Admin => Scopes::of(Scope::ALL),
        }
    }

    /// Those that both have.
    pub const fn intersection(self, other: Scopes) -> Scopes {
        Scopes(self.0 & other.0)
    }

    /// Whether this one is among them.
    pub const fn has(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// Them, in the order of the documentation.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.iter().copied().filter(move |scope| self.has(*scope))
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.iter().map(Scope::as_str)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_higher_role_may_all_that_a_lower_one_may() {
        let [admin, operator, user] = Role::ALL.map(Scopes::of_role);
        assert_eq!(user.intersection(operator), user);
        assert_eq!(operator.intersection(admin), operator);
        assert!(admin.has(Scope::UsersAdmin) && !operator.has(Scope::UsersAdmin) && !user.has(Scope::QueuesRead));
    }

    #[test]
    fn a_scope_reads_back_by_its_name() {
        for scope in Scope::ALL {
            assert_eq!(Scope::parse(scope.as_str()), Some(*scope));
        }
        assert_eq!(Scope::parse("everything"), None);
    }
}
