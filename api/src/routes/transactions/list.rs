//! `GET /api/v1/transactions`

use domain::ProductId;
use domain::transactions::{self, AmountRange, Filter, TimeRange};
use ledger::{AccountId, Currency, Money};
use poem::http::Uri;
use poem_openapi::OpenApi;
use poem_openapi::param::Query;

use crate::auth::{Caller, needs};
use crate::body::choice::choice;
use crate::body::money::{AmountText, CurrencyCode, MoneyField};
use crate::body::text::{Id, Text, Time};
use crate::page::{IdCursor, Limit, Listed, Page, page};
use crate::problem::Problem;
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::transaction::{Kind, Status, TransactionView};

pub(crate) struct ListTransactions(pub(crate) State);

impl Operation for ListTransactions {
    const REFUSALS: &'static [&'static [Refusal]] = &[
        refusals::SIGNED_IN,
        refusals::PARAMETERS,
        &[Refusal { status: 404, code: "not_found", when: "The account is not the caller's, or does not exist." }],
        refusals::ANY,
    ];
}

choice! {
    /// Which way a list goes.
    pub(crate) enum Order {
        /// The newest first.
        NewestFirst = "newest_first",
        /// The oldest first.
        OldestFirst = "oldest_first",
    }
}

#[OpenApi(tag = "Tag::Transactions")]
impl ListTransactions {
    /// List transactions
    ///
    /// Those of all accounts that take part, newest first unless `order` says otherwise. A caller of the role `user` sees those of its
    /// own accounts. Filters other than `account`, `product` and `reference` are looked for in so many transactions at a time: a page may
    /// hold fewer than its limit, or none, and still have a next one.
    #[oai(path = "/api/v1/transactions", method = "get", operation_id = "listTransactions")]
    #[expect(clippy::too_many_arguments, reason = "each parameter of the operation is one argument")]
    async fn call(
        &self,
        #[oai(scope = "needs::TRANSACTIONS_READ")] caller: Caller,
        uri: &Uri,
        /// Only those in which this account takes part.
        account: Query<Option<Id>>,
        /// Only those in which this account takes part too.
        counterparty: Query<Option<Id>>,
        /// Only those of this product.
        product: Query<Option<Id>>,
        /// Only those that have come so far.
        status: Query<Option<Status>>,
        /// Only those of this type.
        #[oai(name = "type")]
        kind: Query<Option<Kind>>,
        /// Only those that were accepted at this time or later.
        created_from: Query<Option<Time>>,
        /// Only those that were accepted before this time.
        created_before: Query<Option<Time>>,
        /// Only those that count at this time or later.
        effective_from: Query<Option<Time>>,
        /// Only those that count before this time.
        effective_before: Query<Option<Time>>,
        /// Only those in this currency, by ISO 4217; with many legs, one of them is enough.
        currency: Query<Option<CurrencyCode>>,
        /// Only those of at least this amount; `currency` has to be there.
        amount_min: Query<Option<AmountText>>,
        /// Only those of at most this amount; `currency` has to be there.
        amount_max: Query<Option<AmountText>>,
        /// Only the caller's own one of this reference; the other filters do not count then.
        reference: Query<Option<Text<1, 128>>>,
        /// Which way; newest first, if absent.
        order: Query<Option<Order>>,
        /// The `next_cursor` of the page before.
        after: Query<Option<IdCursor>>,
        /// How many at most; 50 if absent.
        limit: Query<Option<Limit>>,
    ) -> Result<Listed<TransactionView>, Failure<Self>> {
        let range = |from: Option<Time>, before: Option<Time>| TimeRange {
            from: from.map(|Time(time)| time),
            before: before.map(|Time(time)| time),
        };
        let filter = Filter {
            account: account.0.map(|Id(id)| AccountId(id)),
            owner: None,
            counterparty: counterparty.0.map(|Id(id)| AccountId(id)),
            product: product.0.map(|Id(id)| ProductId(id)),
            status: status.0.and_then(|status| transactions::State::parse(status.word())),
            kind: kind.0.and_then(|kind| transactions::Kind::parse(kind.word())),
            created: range(created_from.0, created_before.0),
            effective: range(effective_from.0, effective_before.0),
            amount: amounts(currency.0, amount_min.0, amount_max.0)?,
            reference: reference.0.map(Text::into_inner),
            order: match order.0 {
                Some(Order::OldestFirst) => transactions::Order::OldestFirst,
                Some(Order::NewestFirst) | None => transactions::Order::NewestFirst,
            },
            page: page(after.0, limit.0),
        };
        let (caller, filter) = (&caller.0, &filter);
        let found =
            self.0.read_late(caller, |mut conn| async move { transactions::list(&mut conn, caller, filter).await });
        let found = found.await?;
        let items = found.items.iter().map(TransactionView::from).collect();
        let page = Page { items, next_cursor: found.next.map(IdCursor::encode), has_more: found.has_more };
        Ok(Listed::of(&page, uri))
    }
}

/// The range of amounts, exact in its currency.
fn amounts(
    currency: Option<CurrencyCode>,
    min: Option<AmountText>,
    max: Option<AmountText>,
) -> Result<Option<AmountRange>, Problem> {
    let Some(CurrencyCode(currency)) = currency else {
        return match (min, max) {
            (None, None) => Ok(None),
            _ => Err(Problem::parameter("currency", "required", "An amount needs the currency that it is in.")),
        };
    };
    let (min, max) = (minor("amount_min", min, currency)?, minor("amount_max", max, currency)?);
    Ok(Some(AmountRange { currency, min: min.unwrap_or(0), max: max.unwrap_or(i64::MAX) }))
}

fn minor(name: &'static str, text: Option<AmountText>, currency: Currency) -> Result<Option<i64>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let MoneyField(Money { minor, .. }) =
        MoneyField::of(&text, currency).map_err(|(code, detail)| Problem::parameter(name, code, detail))?;
    Ok(Some(i64::try_from(minor).expect("money is parsed within bounds that fit")))
}
