//! `GET /api/v1/accounts/{id}/balance`

use domain::accounts::wallets;
use ledger::{AccountId, history};
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};

use crate::auth::{Caller, needs};
use crate::body::integer::Integer;
use crate::body::text::{Id, Time};
use crate::found::{Found, KnownTags};
use crate::problem::Problem;
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::account::BalanceView;
use crate::views::money::MoneyView;

pub(crate) struct GetBalance(pub(crate) State);

impl Operation for GetBalance {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ONE, refusals::ANY];
}

#[OpenApi(tag = "Tag::Accounts")]
impl GetBalance {
    /// Get what was in an account
    ///
    /// At one point, or now without any. By `at` and `seq` it is what the ledger said then; by `effective_at` it is what counts from then
    /// or before, whenever that was recorded.
    #[oai(path = "/api/v1/accounts/:id/balance", method = "get", operation_id = "getBalance")]
    async fn call(
        &self,
        #[oai(scope = "needs::TRANSACTIONS_READ")] caller: Caller,
        known: KnownTags,
        /// The account.
        id: Path<Id>,
        /// After everything that was recorded by this time.
        at: Query<Option<Time>>,
        /// After everything that counts from this time or before.
        effective_at: Query<Option<Time>>,
        /// After the transaction at this place of the ledger's log.
        seq: Query<Option<Integer<0, { i64::MAX }>>>,
    ) -> Result<Found<BalanceView>, Failure<Self>> {
        let mut connection = self.0.connection().await?;
        let (conn, book) = (&mut *connection, caller.0.book);
        let wallet = wallets::find(conn, &caller.0, AccountId(id.0.0)).await?;
        let account = wallet.account_id;
        let minor = match (&at.0, &effective_at.0, &seq.0) {
            (None, None, None) => {
                let found = ledger::accounts::find(conn, book, &[account]).await?;
                found.first().map_or(0, |account| account.balance)
            }
            (Some(Time(time)), None, None) => history::balance_recorded_at(conn, book, account, *time).await?,
            (None, Some(Time(time)), None) => history::balance_effective_at(conn, book, account, *time).await?,
            (None, None, Some(Integer(seq))) => history::balance_at_seq(conn, book, account, *seq).await?,
            _ => {
                let detail = "At most one of at, effective_at and seq says when.";
                return Err(Problem::parameter("at", "not_allowed", detail).into());
            }
        };
        let view = BalanceView {
            account_id: account.0,
            balance: MoneyView::of(minor, wallet.currency),
            at: at.0.map(|Time(time)| time),
            effective_at: effective_at.0.map(|Time(time)| time),
            seq: seq.0.map(|Integer(seq)| seq),
        };
        Ok(Found::of(&view, &known))
    }
}
