//! The mirror of a book in an Erlang ledger: how far it has been told, what there is to tell, and its breaks.

mod breaks;
mod position;
mod read;

pub use breaks::missing;
pub use position::{NodeState, Row, Seen, advance, compared, list, see, set_back, set_state};
pub use read::{Account, accounts, accounts_of, leaves};
