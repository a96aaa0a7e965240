//! Who may follow which topic: the same for every way of being told.

use domain::access::scope::Scope;
use domain::events::topic;
use domain::{Principal, transactions};
use ledger::TransactionId;
use uuid::Uuid;

use crate::problem::Problem;
use crate::routes::visible_job;
use crate::state::State;

/// What it takes to be told of everything that concerns a user.
const OF_USER: [Scope; 3] = [Scope::UsersRead, Scope::ProductsRead, Scope::TransactionsRead];

/// Refuses a topic that the caller may not follow: 403 where a scope is lacking, 404 where the thing is somebody else's or is not there, 422
/// where there is no such kind of topic.
pub(crate) async fn may_follow(state: &State, caller: &Principal, name: &str) -> Result<(), Problem> {
    if name == topic::LEDGER {
        has(caller, &[Scope::LedgerRead])?;
        return if caller.is_staff() { Ok(()) } else { Err(Problem::forbidden("The ledger's events are for staff.")) };
    }
    let parts = name.split_once(':').and_then(|(kind, id)| Some((kind, parse(id)?)));
    match parts {
        Some(("user", id)) => {
            has(caller, &OF_USER)?;
            if caller.is_staff() || caller.user_id.0 == id { Ok(()) } else { Err(Problem::not_found()) }
        }
        Some(("transactions", id)) => {
            has(caller, &[Scope::TransactionsRead])?;
            transactions::find(&mut *state.connection().await?, caller, TransactionId(id)).await?;
            Ok(())
        }
        Some(("jobs", id)) => {
            has(caller, &[Scope::JobsRead])?;
            visible_job(&mut *state.connection().await?, caller, id).await?;
            Ok(())
        }
        _ => Err(Problem::parameter("topic", "unknown_topic", "There is no such topic.")),
    }
}

/// Refuses everything that is not secret to all but staff with every right to read.
pub(crate) fn may_follow_everything(caller: &Principal) -> Result<(), Problem> {
    has(caller, &OF_USER)?;
    has(caller, &[Scope::LedgerRead, Scope::JobsRead])
}

/// An id in the one form that topics have it in.
fn parse(id: &str) -> Option<Uuid> {
    id.parse::<Uuid>().ok().filter(|parsed| parsed.to_string() == id)
}

fn has(caller: &Principal, scopes: &[Scope]) -> Result<(), Problem> {
    match scopes.iter().find(|scope| !caller.scopes.has(**scope)) {
        None => Ok(()),
        Some(scope) => {
            let detail = format!("This takes the scope {}.", scope.as_str());
            Err(Problem::forbidden(detail).extension("scope", scope.as_str()))
        }
    }
}
