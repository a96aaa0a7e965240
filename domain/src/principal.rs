//! Who asks.

use ledger::Book;
use uuid::Uuid;

use crate::access::scope::Scopes;
use crate::ids::UserId;

/// What a user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Everything.
    Admin,
    /// Running the service: sees everything, moves money for others.
    Operator,
    /// Only what is theirs.
    User,
}

impl Role {
    /// Every role.
    pub const ALL: [Role; 3] = [Role::Admin, Role::Operator, Role::User];

    /// Its stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Admin => "admin",
            Role::Operator => "operator",
            Role::User => "user",
        }
    }

    /// The role of that name.
    pub fn parse(name: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.as_str() == name)
    }
}

/// What a caller showed to prove who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Credential {
    /// Nothing: it acts within the process, as a command of an operator does.
    Nothing,
    /// The bearer token of this session.
    Session(Uuid),
    /// This API key.
    ApiKey(Uuid),
}

/// An authenticated caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Principal {
    /// The user whose credential it was.
    pub user_id: UserId,
    /// What the user may do.
    pub role: Role,
    /// The book that the user acts in.
    pub book: Book,
    /// What the credential allows of what the role does.
    pub scopes: Scopes,
    /// What it showed.
    pub credential: Credential,
}

impl Principal {
    /// The user itself, with all that its role may do, and no credential.
    pub const fn of(user_id: UserId, role: Role, book: Book) -> Principal {
        Principal { user_id, role, book, scopes: Scopes::of_role(role), credential: Credential::Nothing }
    }

    /// Whether the caller sees and moves what belongs to others.
    pub fn is_staff(&self) -> bool {
        matches!(self.role, Role::Admin | Role::Operator)
    }

    /// The session whose token the caller showed, if it did.
    pub fn session(&self) -> Option<Uuid> {
        match self.credential {
            Credential::Session(id) => Some(id),
            Credential::ApiKey(_) | Credential::Nothing => None,
        }
    }

    /// The owner that a query is limited to: none for staff.
    pub(crate) fn only_owner(&self) -> Option<Uuid> {
        (!self.is_staff()).then_some(self.user_id.0)
    }
}
