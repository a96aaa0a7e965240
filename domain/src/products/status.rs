//! Whether a product is sold.

/// Whether a product is sold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// It is.
    Active,
    /// It is kept for its history; lists and searches leave it out unless asked for it.
    Archived,
}

impl Status {
    /// Its stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Status::Active => "active",
            Status::Archived => "archived",
        }
    }

    /// The status of that name.
    pub fn parse(name: &str) -> Option<Status> {
        [Status::Active, Status::Archived].into_iter().find(|status| status.as_str() == name)
    }
}
