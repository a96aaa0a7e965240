//! Every operation, one file each, listed here and nowhere else.

mod accounts;
mod jobs;
mod ledger;
mod merge;
mod products;
mod reconciliation;
mod sessions;
mod transactions;
mod users;

use poem_openapi::{OpenApi, Tags};

use crate::state::State;

/// What the operations are grouped by in the document.
#[derive(Tags)]
pub(crate) enum Tag {
    /// Who may call the API, and their wallets.
    Users,
    /// Logging in.
    Sessions,
    /// What users sell.
    Products,
    /// Money on the move.
    Transactions,
    /// Money at rest.
    Accounts,
    /// The log of everything recorded: checkpoints, tiles, receipts and proofs, for tools that are not ours.
    Ledger,
    /// Whether everything agrees, and what does not.
    Reconciliation,
    /// Work that goes on after the answer.
    Jobs,
}

/// Nests the operations two by two, as poem-openapi's tuples are short, and keeps the list for the test below.
macro_rules! operations {
    (@nest $state:ident $last:expr) => { $last($state.clone()) };
    (@nest $state:ident $first:expr, $($rest:expr),+) => {
        ($first($state.clone()), operations!(@nest $state $($rest),+))
    };
    ($($route:literal => $operation:expr,)+) => {
        /// The operations, ready to be served.
        pub(crate) fn operations(state: &State) -> impl OpenApi + use<> {
            merge::Merged(operations!(@nest state $($operation),+))
        }

        /// The same as method and path.
        #[cfg(test)]
        const ROUTES: &[&str] = &[$($route),+];
    };
}

operations! {
    "POST /api/v1/users" => users::create::CreateUser,
    "GET /api/v1/users" => users::list::ListUsers,
    "GET /api/v1/users/{id}" => users::get::GetUser,
    "POST /api/v1/sessions" => sessions::create::CreateSession,
    "POST /api/v1/products" => products::create::CreateProduct,
    "GET /api/v1/products" => products::list::ListProducts,
    "GET /api/v1/products/{id}" => products::get::GetProduct,
    "POST /api/v1/transactions" => transactions::create::CreateTransaction,
    "POST /api/v1/transactions/batch" => transactions::create_batch::CreateTransactionBatch,
    "GET /api/v1/transactions" => transactions::list::ListTransactions,
    "GET /api/v1/transactions/{id}" => transactions::get::GetTransaction,
    "POST /api/v1/transactions/{id}/post" => transactions::post::PostTransaction,
    "POST /api/v1/transactions/{id}/void" => transactions::void::VoidTransaction,
    "POST /api/v1/transactions/{id}/reversal" => transactions::reverse::ReverseTransaction,
    "GET /api/v1/accounts/{id}" => accounts::get::GetAccount,
    "GET /api/v1/accounts/{id}/entries" => accounts::entries::ListEntries,
    "GET /api/v1/accounts/{id}/balance" => accounts::balance::GetBalance,
    "GET /api/v1/accounts/{id}/statement.csv" => accounts::statement::GetStatement,
    "GET /api/v1/ledger/checkpoint" => ledger::checkpoint::GetCheckpoint,
    "GET /api/v1/ledger/tile/*tile" => ledger::tile::GetTile,
    "GET /api/v1/ledger/tile/entries/*bundle" => ledger::entries::GetEntries,
    "GET /api/v1/ledger/receipts/{id}" => ledger::receipt::GetReceipt,
    "GET /api/v1/ledger/receipts/{id}/leaf" => ledger::leaf::GetLeaf,
    "GET /api/v1/ledger/proofs/inclusion" => ledger::inclusion::ProveInclusion,
    "GET /api/v1/ledger/proofs/consistency" => ledger::consistency::ProveConsistency,
    "POST /api/v1/ledger/reconciliations" => reconciliation::create::CreateReconciliation,
    "GET /api/v1/ledger/reconciliations" => reconciliation::list::ListReconciliations,
    "GET /api/v1/ledger/reconciliations/{id}" => reconciliation::get::GetReconciliation,
    "GET /api/v1/ledger/reconciliations/{id}/report" => reconciliation::report::GetReport,
    "GET /api/v1/ledger/breaks" => reconciliation::list_breaks::ListBreaks,
    "GET /api/v1/ledger/breaks/{id}" => reconciliation::get_break::GetBreak,
    "PATCH /api/v1/ledger/breaks/{id}" => reconciliation::change_break::ChangeBreak,
    "POST /api/v1/ledger/statements" => reconciliation::import_statement::ImportStatement,
    "GET /api/v1/ledger/statements" => reconciliation::list_statements::ListStatements,
    "GET /api/v1/jobs/{id}" => jobs::get::GetJob,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared<T: OpenApi>(_: impl FnOnce(&State) -> T) -> Vec<String> {
        let paths = T::meta().into_iter().flat_map(|api| api.paths);
        let route = |path: poem_openapi::registry::MetaPath| {
            let of =
                move |operation: poem_openapi::registry::MetaOperation| format!("{} {}", operation.method, path.path);
            path.operations.into_iter().map(of).collect::<Vec<_>>()
        };
        paths.flat_map(route).collect()
    }

    #[test]
    fn who_may_call_an_operation_is_said_by_scopes() {
        fn of<T: OpenApi>(_: impl FnOnce(&State) -> T) -> Vec<poem_openapi::registry::MetaPath> {
            T::meta().into_iter().flat_map(|api| api.paths).collect()
        }
        for path in of(operations) {
            for operation in path.operations {
                let mut scopes = operation.security.iter().flat_map(|schemes| schemes.values());
                assert!(scopes.all(|scopes| !scopes.is_empty()), "{} {} names no scope", operation.method, path.path);
            }
        }
    }

    #[test]
    fn the_list_says_what_each_file_declares() {
        let (mut declared, mut listed) = (declared(operations), ROUTES.to_vec());
        declared.sort_unstable();
        listed.sort_unstable();
        assert_eq!(declared, listed);
    }
}
