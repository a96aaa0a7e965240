//! `bitnexus ledger breaks`: what does not agree.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use domain::reconciliation::breaks::{self, Break, Filter};
use domain::{Page, Principal, Role, UserId};
use ledger::reconcile::Class;
use ledger::{Book, Currency, Money};
use uuid::Uuid;

use crate::config::DatabaseArgs;

/// List the breaks of the main book, oldest first.
#[derive(Debug, Args)]
pub(super) struct BreaksArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    /// Only of this check, R1 to R12.
    #[arg(long, value_name = "CLASS")]
    class: Option<String>,
    /// Only in this state: open, assigned, resolved or written_off. Default: open and assigned.
    #[arg(long, value_name = "STATE", value_parser = breaks::STATES)]
    state: Option<String>,
}

/// Whoever has the database's address may see what an operator sees.
pub(super) fn operator() -> Principal {
    Principal::of(UserId(Uuid::nil()), Role::Operator, Book::MAIN)
}

/// Prints all of them, page by page.
pub(super) async fn run(args: BreaksArgs) -> Result<ExitCode> {
    let class =
        args.class.as_deref().map(|class| Class::parse(class).context("--class: it is R1 to R12")).transpose()?;
    let mut connection = args.database.connect("ledger breaks").await?;
    let mut filter = Filter { class, state: args.state, ..Filter::default() };
    filter.page = Page { after: None, limit: domain::page::LIMIT_MAX };
    loop {
        let listed = breaks::list(&mut connection, &operator(), &filter).await?;
        listed.items.iter().for_each(print_break);
        filter.page.after = listed.items.last().map(|last| last.id);
        if !listed.has_more {
            return Ok(ExitCode::SUCCESS);
        }
    }
}

/// One line for a break.
pub(super) fn print_break(found: &Break) {
    let money = found.amount.zip(found.currency.as_deref()).and_then(|(minor, currency)| {
        let money = Money { minor: minor.into(), currency: Currency::parse(currency).ok()? };
        Some(format!(" [{} {currency}]", money.to_decimal_string()))
    });
    println!(
        "BREAK {} {} {} {} {}: {}{}",
        found.id,
        found.class,
        found.sub_class,
        found.severity,
        found.state,
        found.detail,
        money.unwrap_or_default()
    );
}
