//! Every operation, one file each, listed here and nowhere else.

mod accounts;
mod audit;
mod categories;
mod category_rules;
mod events;
mod imports;
mod jobs;
mod keys;
mod ledger;
mod merge;
mod passwords;
mod products;
mod queues;
mod reconciliation;
mod schedules;
mod sessions;
mod transactions;
mod users;
mod webhooks;
mod workers;

use poem_openapi::{OpenApi, Tags};

use crate::state::State;

pub(crate) use self::jobs::act::visible as visible_job;

/// What the operations are grouped by in the document.
#[derive(Tags)]
pub(crate) enum Tag {
    /// Who may call the API, and their wallets.
    Users,
    /// Logging in, and API keys.
    Sessions,
    /// What users sell.
    Products,
    /// What products are sorted into, and by which rules.
    Categories,
    /// Money on the move.
    Transactions,
    /// Money at rest.
    Accounts,
    /// The log of everything recorded: checkpoints, tiles, receipts and proofs, for tools that are not ours.
    Ledger,
    /// Whether everything agrees, and what does not.
    Reconciliation,
    /// Files of users and products.
    Imports,
    /// What happens, as it happens.
    Events,
    /// Work that goes on after the answer.
    Jobs,
    /// Where jobs wait, who runs them, and how many at once.
    Queues,
    /// Jobs that are enqueued again and again.
    Schedules,
    /// Events that are posted to an address of yours, signed by Standard Webhooks.
    Webhooks,
    /// What was done by whom.
    Audit,
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

        /// The operations as far as their document needs them: none can be called.
        pub(crate) fn described() -> impl OpenApi {
            merge::described(operations)
        }

        /// The same as method and path.
        #[cfg(test)]
        const ROUTES: &[&str] = &[$($route),+];
    };
}

operations! {
    "POST /api/v1/users" => users::create::CreateUser,
    "GET /api/v1/users" => users::list::ListUsers,
    "GET /api/v1/users/me" => users::me::GetMe,
    "GET /api/v1/users/{id}" => users::get::GetUser,
    "GET /api/v1/users/{id}/statistics" => users::statistics::GetStatistics,
    "POST /api/v1/users/{id}/erase" => users::erase::EraseUser,
    "POST /api/v1/users/process" => users::process::ProcessUsers,
    "PATCH /api/v1/users/{id}" => users::update::UpdateUser,
    "DELETE /api/v1/users/{id}" => users::delete::DeleteUser,
    "GET /api/v1/users/{id}/wallets" => users::wallets::ListUserWallets,
    "GET /api/v1/users/{id}/products" => users::products::ListUserProducts,
    "GET /api/v1/users/{id}/transactions" => users::transactions::ListUserTransactions,
    "PUT /api/v1/users/{id}/password" => passwords::change::ChangePassword,
    "POST /api/v1/users/{id}/password-resets" => passwords::create_reset::CreatePasswordReset,
    "POST /api/v1/password-resets" => passwords::ask::AskPasswordReset,
    "POST /api/v1/password-resets/confirm" => passwords::confirm::ConfirmPasswordReset,
    "GET /api/v1/users/{id}/sessions" => sessions::list::ListSessions,
    "DELETE /api/v1/users/{id}/sessions" => sessions::end_all::EndAllSessions,
    "POST /api/v1/sessions" => sessions::create::CreateSession,
    "POST /api/v1/sessions/refresh" => sessions::refresh::RefreshSession,
    "DELETE /api/v1/sessions/current" => sessions::end_current::EndCurrentSession,
    "DELETE /api/v1/sessions/{id}" => sessions::end::EndSession,
    "POST /api/v1/api-keys" => keys::create::CreateApiKey,
    "GET /api/v1/api-keys" => keys::list::ListApiKeys,
    "GET /api/v1/api-keys/{id}" => keys::get::GetApiKey,
    "DELETE /api/v1/api-keys/{id}" => keys::revoke::RevokeApiKey,
    "POST /api/v1/products" => products::create::CreateProduct,
    "GET /api/v1/products" => products::list::ListProducts,
    "GET /api/v1/products/search" => products::search::SearchProducts,
    "POST /api/v1/products/categorize" => products::categorize_all::CategorizeProducts,
    "POST /api/v1/products/reindex" => products::reindex::ReindexProducts,
    "GET /api/v1/products/{id}" => products::get::GetProduct,
    "PATCH /api/v1/products/{id}" => products::update::UpdateProduct,
    "POST /api/v1/products/{id}/categorize" => products::categorize::CategorizeProduct,
    "GET /api/v1/categories" => categories::list::ListCategories,
    "POST /api/v1/categories" => categories::create::CreateCategory,
    "GET /api/v1/categories/{id}" => categories::get::GetCategory,
    "PATCH /api/v1/categories/{id}" => categories::update::UpdateCategory,
    "DELETE /api/v1/categories/{id}" => categories::delete::DeleteCategory,
    "GET /api/v1/category-rules" => category_rules::list::ListCategoryRules,
    "POST /api/v1/category-rules" => category_rules::create::CreateCategoryRule,
    "GET /api/v1/category-rules/{id}" => category_rules::get::GetCategoryRule,
    "PATCH /api/v1/category-rules/{id}" => category_rules::update::UpdateCategoryRule,
    "DELETE /api/v1/category-rules/{id}" => category_rules::delete::DeleteCategoryRule,
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
    "GET /api/v1/ledger/checkpoint/witnessed" => ledger::witnessed::GetWitnessedCheckpoint,
    "GET /api/v1/ledger/tile/*tile" => ledger::tile::GetTile,
    "GET /api/v1/ledger/tile/entries/*bundle" => ledger::entries::GetEntries,
    "GET /api/v1/ledger/receipts/{id}" => ledger::receipt::GetReceipt,
    "GET /api/v1/ledger/receipts/{id}/leaf" => ledger::leaf::GetLeaf,
    "GET /api/v1/ledger/receipts/{id}/witnessed" => ledger::witnessed_receipt::GetWitnessedReceipt,
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
    "POST /api/v1/imports" => imports::create::CreateImport,
    "GET /api/v1/imports" => imports::list::ListImports,
    "GET /api/v1/imports/{id}" => imports::get::GetImport,
    "GET /api/v1/imports/{id}/errors" => imports::errors::ListErrors,
    "GET /api/v1/imports/{id}/errors.csv" => imports::errors_csv::DownloadErrors,
    "GET /api/v1/jobs" => jobs::list::ListJobs,
    "POST /api/v1/jobs" => jobs::enqueue::EnqueueJob,
    "POST /api/v1/jobs/bulk" => jobs::bulk::ChangeManyJobs,
    "GET /api/v1/jobs/{id}" => jobs::get::GetJob,
    "DELETE /api/v1/jobs/{id}" => jobs::delete::DeleteJob,
    "GET /api/v1/jobs/{id}/explain" => jobs::explain::ExplainJob,
    "GET /api/v1/jobs/{id}/payload" => jobs::payload::GetJobPayload,
    "POST /api/v1/jobs/{id}/cancel" => jobs::cancel::CancelJob,
    "POST /api/v1/jobs/{id}/retry" => jobs::retry::RetryJob,
    "POST /api/v1/jobs/{id}/reschedule" => jobs::reschedule::RescheduleJob,
    "POST /api/v1/jobs/{id}/prioritise" => jobs::prioritise::PrioritiseJob,
    "GET /api/v1/dead-letters" => jobs::dead_letters::ListDeadLetters,
    "POST /api/v1/dead-letters/redrive" => jobs::redrive::RedriveDeadLetters,
    "GET /api/v1/job-kinds" => jobs::kinds::ListJobKinds,
    "POST /api/v1/job-kinds/{kind}/pause" => jobs::pause_kind::PauseJobKind,
    "POST /api/v1/job-kinds/{kind}/resume" => jobs::resume_kind::ResumeJobKind,
    "GET /api/v1/queues" => queues::list::ListQueues,
    "GET /api/v1/queues/{name}" => queues::get::GetQueue,
    "POST /api/v1/queues/{name}/pause" => queues::pause::PauseQueue,
    "POST /api/v1/queues/{name}/resume" => queues::resume::ResumeQueue,
    "PUT /api/v1/queues/{name}/limit" => queues::limit::LimitQueue,
    "GET /api/v1/limits" => queues::limits::ListLimits,
    "PUT /api/v1/limits/{name}" => queues::set_limit::SetLimit,
    "POST /api/v1/limits/{name}/reset" => queues::reset_limit::ResetLimit,
    "GET /api/v1/workers" => workers::list::ListWorkers,
    "GET /api/v1/schedules" => schedules::list::ListSchedules,
    "POST /api/v1/schedules" => schedules::create::CreateSchedule,
    "GET /api/v1/schedules/{name}" => schedules::get::GetSchedule,
    "PATCH /api/v1/schedules/{name}" => schedules::change::ChangeSchedule,
    "DELETE /api/v1/schedules/{name}" => schedules::delete::DeleteSchedule,
    "GET /api/v1/schedules/{name}/ticks" => schedules::ticks::GetScheduleTicks,
    "POST /api/v1/schedules/{name}/pause" => schedules::pause::PauseSchedule,
    "POST /api/v1/schedules/{name}/resume" => schedules::resume::ResumeSchedule,
    "POST /api/v1/schedules/{name}/revert" => schedules::revert::RevertSchedule,
    "POST /api/v1/schedules/{name}/run" => schedules::run::RunSchedule,
    "POST /api/v1/webhooks" => webhooks::create::CreateWebhook,
    "GET /api/v1/webhooks" => webhooks::list::ListWebhooks,
    "GET /api/v1/webhooks/{id}" => webhooks::get::GetWebhook,
    "PATCH /api/v1/webhooks/{id}" => webhooks::update::UpdateWebhook,
    "DELETE /api/v1/webhooks/{id}" => webhooks::delete::DeleteWebhook,
    "POST /api/v1/webhooks/{id}/secret" => webhooks::secret::RotateWebhookSecret,
    "POST /api/v1/webhooks/{id}/test" => webhooks::test::TestWebhook,
    "GET /api/v1/webhooks/{id}/deliveries" => webhooks::deliveries::ListWebhookDeliveries,
    "POST /api/v1/webhooks/{id}/replay" => webhooks::replay::ReplayWebhook,
    "GET /api/v1/webhook-deliveries/{id}" => webhooks::delivery::GetWebhookDelivery,
    "POST /api/v1/webhook-deliveries/{id}/replay" => webhooks::replay_delivery::ReplayWebhookDelivery,
    "GET /api/v1/audit" => audit::list::ListAudit,
    "GET /api/v1/events" => events::follow::FollowEvents,
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
