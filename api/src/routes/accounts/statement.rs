//! `GET /api/v1/accounts/{id}/statement.csv`

use chrono::{DateTime, Days, NaiveTime, Utc};
use domain::accounts::{Wallet, wallets};
use domain::transactions::statement::Statement;
use futures::stream::{self, BoxStream, StreamExt};
use hyper::body::Bytes;
use ledger::{AccountId, Currency};
use poem_openapi::param::{Path, Query};
use poem_openapi::{ApiResponse, OpenApi};
use sqlx::PgPool;

use crate::auth::{Caller, needs};
use crate::body::day::Day;
use crate::body::text::Id;
use crate::problem::Problem;
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::statement::{self, CsvReply};

pub(crate) struct GetStatement(pub(crate) State);

impl Operation for GetStatement {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ONE, refusals::ANY];
}

#[derive(ApiResponse)]
pub(crate) enum Response {
    /// The statement, line by line as it is read: opening balance, each entry with the balance after it, closing balance. One that does
    /// not end with a line `closing` was cut off.
    #[oai(status = 200)]
    Csv(
        CsvReply,
        /// The name that it may be saved under.
        #[oai(header = "Content-Disposition")]
        String,
    ),
}

#[OpenApi(tag = "Tag::Accounts")]
impl GetStatement {
    /// Get an account's statement for a period
    ///
    /// What was recorded on these days, by UTC, oldest first, as comma-separated values (RFC 4180) with a header. A text that a
    /// spreadsheet would take for a formula has an apostrophe before it.
    #[oai(path = "/api/v1/accounts/:id/statement.csv", method = "get", operation_id = "getStatement")]
    async fn call(
        &self,
        #[oai(scope = "needs::TRANSACTIONS_READ")] caller: Caller,
        /// The account.
        id: Path<Id>,
        /// The first day.
        from: Query<Day>,
        /// The last day.
        to: Query<Day>,
    ) -> Result<Response, Failure<Self>> {
        if to.0.0 < from.0.0 {
            return Err(Problem::parameter("to", "before_from", "The last day is before the first.").into());
        }
        let mut connection = self.0.connection().await?;
        let wallet = wallets::find(&mut connection, &caller.0, AccountId(id.0.0)).await?;
        let (from, before) = (midnight(&from.0), midnight(&to.0) + Days::new(1));
        let of = Statement { book: caller.0.book, account: wallet.account_id, from, before };
        let opening = of.opening(&mut connection).await?;
        let name = format!("attachment; filename=\"statement-{}-{}-{}.csv\"", of.account, from.date_naive(), to.0.0);
        let text = lines(self.0.pool.clone(), of, &wallet, opening);
        Ok(Response::Csv(CsvReply::of(text), name))
    }
}

fn midnight(Day(day): &Day) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

/// How far a statement has been written.
enum Place {
    /// Entries after this version come next; the balance before them.
    Entries(Option<i64>, i128),
    /// Only the closing balance is left.
    Closing(i128),
    /// Everything is written.
    Ended,
}

/// The statement in pieces, each a page of entries that is read when the one before has gone out.
fn lines(pool: PgPool, of: Statement, wallet: &Wallet, opening: i128) -> BoxStream<'static, sqlx::Result<Bytes>> {
    let currency = wallet.currency;
    let head = statement::head(&of, currency, opening);
    let pages = stream::try_unfold(Place::Entries(None, opening), move |place| {
        let pool = pool.clone();
        async move { next(&pool, &of, currency, place).await }
    });
    stream::once(async move { Ok(head) }).chain(pages).map(|piece| piece.map(Bytes::from)).boxed()
}

async fn next(
    pool: &PgPool,
    of: &Statement,
    currency: Currency,
    place: Place,
) -> sqlx::Result<Option<(String, Place)>> {
    match place {
        Place::Entries(after, balance) => {
            let (lines, next) = of.page(&mut *pool.acquire().await?, after).await?;
            let balance = lines.last().map_or(balance, |last| last.entry.balance);
            let text = lines.iter().map(|line| statement::line(line, currency)).collect();
            Ok(Some((text, next.map_or(Place::Closing(balance), |after| Place::Entries(Some(after), balance)))))
        }
        Place::Closing(balance) => Ok(Some((statement::closing(of, currency, balance), Place::Ended))),
        Place::Ended => Ok(None),
    }
}
