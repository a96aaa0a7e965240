//! `POST /api/v1/ledger/statements`

use domain::Error;
use domain::reconciliation::statements::{self, ImportError, NewStatement, TOLERANCE_DAYS};
use ledger::{AccountId, Money};
use poem::http::StatusCode;
use poem_openapi::param::Query;
use poem_openapi::{ApiResponse, OpenApi};

use crate::auth::{Caller, needs};
use crate::body::csv::Csv;
use crate::body::day::Day;
use crate::body::integer::Integer;
use crate::body::money::CurrencyCode;
use crate::body::text::{Id, Text};
use crate::problem::Problem;
use crate::problem::from_domain::sentence;
use crate::reply::{Failure, Operation, Refusal, Reply, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::reconciliation::StatementView;

pub(crate) struct ImportStatement(pub(crate) State);

impl Operation for ImportStatement {
    const REFUSALS: &'static [&'static [Refusal]] = &[
        refusals::SIGNED_IN,
        refusals::PARAMETERS,
        &[
            Refusal { status: 415, code: "unsupported_media_type", when: "The body is not declared as text/csv." },
            Refusal { status: 413, code: "body_too_large", when: "The body is longer than the operation takes." },
            Refusal { status: 408, code: "body_timeout", when: "The body took too long to arrive." },
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
    /// same file of an account is imported once. Files beyond the limit of a batch are imported by the command line.
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
        if !caller.0.is_staff() {
            return Err(Error::Forbidden("only an operator or an administrator imports statements").into());
        }
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
        let mut connection = self.0.connection().await?;
        let by = caller.0.user_id.to_string();
        let imported = statements::import(&mut connection, caller.0.book, &new, &body.0[..], &by).await;
        let imported = imported.map_err(problem)?;
        let statement = statements::find(&mut connection, &caller.0, imported.id).await?;
        Ok(Response::Created(Reply::of(&StatementView::from(&statement)), imported.is_repeated.then_some(true)))
    }
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
        ImportError::Database(error) => error.into(),
    }
}
