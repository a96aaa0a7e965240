//! `POST /api/v1/ledger/statements`

use domain::imports::upload;
use domain::reconciliation::statements::{self, ImportError, NewStatement, Statement, TOLERANCE_DAYS};
use domain::{Error, Principal};
use ledger::{AccountId, Money};
use poem::http::StatusCode;
use poem_openapi::param::Query;
use poem_openapi::{ApiResponse, OpenApi};
use queue::trace;
use tokio::sync::Semaphore;

use crate::auth::{Caller, needs};
use crate::body::csv::Csv;
use crate::body::day::Day;
use crate::body::integer::Integer;
use crate::body::money::CurrencyCode;
use crate::body::text::{Id, Text};
use crate::body::upload::Upload;
use crate::problem::Problem;
use crate::problem::from_domain::sentence;
use crate::reply::{Failure, Operation, Refusal, Reply, refusals};
use crate::routes::Tag;
use crate::spool;
use crate::state::State;
use crate::views::reconciliation::StatementView;

/// Files that are here take turns: reading one holds a connection of the requests for seconds.
static TURNS: Semaphore = Semaphore::const_new(2);

pub(crate) struct ImportStatement(pub(crate) State);

impl Operation for ImportStatement {
    const REFUSALS: &'static [&'static [Refusal]] = &[
        refusals::SIGNED_IN,
        refusals::PARAMETERS,
        &[
            Refusal { status: 415, code: "unsupported_media_type", when: "The body is not declared as text/csv." },
            Refusal { status: 413, code: "body_too_large", when: "The file is longer than 100 MiB." },
            Refusal { status: 409, code: "too_many_imports", when: "Ten imports of the caller are under way." },
            Refusal { status: 408, code: "body_timeout", when: "The file arrived at less than 64 KiB a second." },
            Refusal { status: 400, code: "body_incomplete", when: "The body ended early." },
            Refusal { status: 422, code: "malformed_statement", when: "A line is wrong; `detail` says which and why." },
        ],
        refusals::ANY,
    ];
}

#[derive(ApiResponse)]
pub(crate) enum Response {
    /// The statement; the next reconciliation matches it.
    #[oai(status = 201)]
    Created(
        Reply<StatementView>,
        /// `true` when the same file was imported before.
        #[oai(header = "Idempotency-Replayed")]
        Option<bool>,
    ),
}

#[OpenApi(tag = "Tag::Reconciliation")]
impl ImportStatement {
    /// Import a statement
    ///
    /// For staff. A CSV with the header `date,amount,currency,reference,id,description`: the day as 2026-01-31, the amount as
    /// -12.50 (above zero raises the account's balance), the reference and the id as we gave them, if they are known. The
    /// same file of an account is imported once. A file has up to 100 MiB; one that does not arrive whole, or that has a wrong line,
    /// leaves nothing.
    #[oai(path = "/api/v1/ledger/statements", method = "post", operation_id = "importStatement")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn call(
        &self,
        #[oai(scope = "needs::LEDGER_ADMIN")] caller: Caller,
        /// What people call it.
        name: Query<Text<1, 200>>,
        /// The account that it is about.
        account_id: Query<Id>,
        /// The account's currency, by ISO 4217.
        currency: Query<CurrencyCode>,
        /// The first day.
        period_from: Query<Day>,
        /// The last day.
        period_to: Query<Day>,
        /// The balance before the first day, as in 12.50.
        opening: Query<Text<1, 40>>,
        /// The balance after the last day.
        closing: Query<Text<1, 40>>,
        /// How many days a line and its entry may be apart; 3 if absent.
        tolerance_days: Query<Option<Integer<0, 31>>>,
        /// How many minor units a line and its entry may be apart; 0 if absent.
        tolerance_minor: Query<Option<Integer<0, 1_000_000>>>,
        body: Csv,
    ) -> Result<Response, Failure<Self>> {
        let CurrencyCode(currency) = currency.0;
        let money = |name, text: &str| Money::parse(text, currency).map_err(|error| wrong(name, error.to_string()));
        let new = NewStatement {
            name: name.0.into_inner(),
            account: AccountId(account_id.0.0),
            period_from: period_from.0.0,
            period_to: period_to.0.0,
            opening: money("opening", &opening.0)?,
            closing: money("closing", &closing.0)?,
            tolerance_days: tolerance_days.0.map_or(TOLERANCE_DAYS, |days| i16::try_from(days.0).unwrap_or(31)),
            tolerance_amount: tolerance_minor.0.map_or(0, |minor| minor.0),
        };
        // On a task of its own: a client that goes away ends this call, and what arrived is still to be removed.
        let work = trace::carry(receive(self.0.clone(), caller.0, new, body.0));
        let (statement, is_repeated) = tokio::spawn(work).await.map_err(|_| Problem::internal())??;
        Ok(Response::Created(Reply::of(&StatementView::from(&statement)), is_repeated.then_some(true)))
    }
}

/// Takes in the file and imports it when all of it is here. Nothing of the upload stays.
async fn receive(
    state: State,
    caller: Principal,
    new: NewStatement,
    mut file: Upload,
) -> Result<(Statement, bool), Problem> {
    let mut connection = state.connection().await?;
    let upload = upload::begin_statement(&mut connection, &caller).await?;
    drop(connection);
    let imported = import(&state, &caller, &new, (upload, &mut file)).await;
    spool::discard(&state, upload).await;
    imported
}

/// The statement of a file that is still to arrive, and whether it was here before.
async fn import(
    state: &State,
    caller: &Principal,
    new: &NewStatement,
    (upload, file): (upload::Upload, &mut Upload),
) -> Result<(Statement, bool), Problem> {
    // What is wrong with the parameters is told before the file is taken.
    statements::check(&mut *state.connection().await?, caller.book, new).await.map_err(problem)?;
    let bytes = spool::save(state, upload, file, |_| Ok(())).await?;
    let _turn = TURNS.acquire().await.expect("nobody closes it");
    let mut connection = state.connection().await?;
    let by = caller.user_id.to_string();
    let imported = statements::import_upload(&mut connection, caller.book, new, (upload, bytes), &by).await;
    let imported = imported.map_err(problem)?;
    let statement = statements::find(&mut connection, caller, imported.id).await?;
    Ok((statement, imported.is_repeated))
}

fn wrong(parameter: &str, detail: String) -> Problem {
    Problem::parameter(parameter, "invalid", sentence(&detail))
}

fn problem(error: ImportError) -> Problem {
    match error {
        ImportError::Line(error) => {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "malformed_statement", sentence(&error.to_string()))
        }
        ImportError::Field { field, problem } => wrong(field, problem),
        ImportError::Gone => Error::Unavailable.into(),
        ImportError::Database(error) => error.into(),
    }
}
