//! `/api/v1/ledger/reconciliations`, `/breaks` and `/statements`: for staff.

pub(crate) mod change_break;
pub(crate) mod create;
pub(crate) mod get;
pub(crate) mod get_break;
pub(crate) mod import_statement;
pub(crate) mod list;
pub(crate) mod list_breaks;
pub(crate) mod list_statements;
pub(crate) mod report;
