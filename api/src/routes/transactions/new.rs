//! What a transaction is made from, alone or in a batch.

use domain::ProductId;
use domain::transactions;
use ledger::{AccountId, Money, TransactionId};

use crate::body::Shape;
use crate::body::integer::Integer;
use crate::body::list::List;
use crate::body::money::MoneyField;
use crate::body::object::object;
use crate::body::text::{Id, Text, Time};
use crate::views::transaction::{Direction, Kind};

object! {
    /// What a transaction does to one account.
    pub(crate) struct NewLeg {
        /// The account, on no other leg.
        pub account: Id,
        /// Whether the account is debited or credited.
        pub direction: Direction,
        /// How much: more than zero.
        pub amount: MoneyField,
    }
    example {
        "account": "0197a4c2-7c1e-7d3a-9f57-1f6f6d1f2a00",
        "direction": "debit",
        "amount": { "amount": "12.50", "currency": "GBP" }
    }
}

impl From<NewLeg> for transactions::Leg {
    fn from(leg: NewLeg) -> transactions::Leg {
        let MoneyField(money) = leg.amount;
        let minor = if leg.direction == Direction::Debit { -money.minor } else { money.minor };
        transactions::Leg { account: AccountId(leg.account.0), amount: Money { minor, ..money } }
    }
}

object! {
    /// What makes a transaction a hold: its amounts are set aside until it is posted, voided or expires.
    pub(crate) struct NewHold {
        /// From when on it can only expire; never, if absent.
        pub expires_at: Option<Time>,
    }
    example { "expires_at": "2030-01-31T09:30:00Z" }
}

object! {
    /// What a transaction is made from. Which fields it needs depends on its type: a deposit has no `from`, a withdrawal no `to`; a
    /// purchase of a product needs neither `to` nor `amount`, which follow from it; a multi-leg transaction has `legs` and none of the
    /// three; a reversal names what it reverses, a post and a void their hold.
    pub(crate) struct NewTransaction {
        /// What it is for.
        pub kind as "type": Kind,
        /// The account that is debited.
        pub from: Option<Id>,
        /// The account that is credited; of a purchase of a product its owner's, if absent.
        pub to: Option<Id>,
        /// How much: more than zero. Of a purchase of a product what it costs, of a reversal and a post the whole, if absent.
        pub amount: Option<MoneyField>,
        /// What was bought: for a purchase or a refund.
        pub product_id: Option<Id>,
        /// How many were bought: with a product only; one, if absent.
        pub quantity: Option<Integer<1, 2_147_483_647>>,
        /// What you take the product's price to be: with a product only. If it is another one, nothing is bought.
        pub expected_price: Option<MoneyField>,
        /// The transaction to take back: for a reversal.
        pub reverses: Option<Id>,
        /// The hold to end: for a post or a void.
        pub hold_id: Option<Id>,
        /// What it does to each account: for a multi-leg transaction. Credits and debits are equal in each currency.
        pub legs: Option<List<NewLeg, 2, 1_000>>,
        /// Sets the amounts aside and does not move them yet.
        pub hold: Option<NewHold>,
        /// Your own name for it, unique among your transactions: sending it again with the same content changes nothing.
        pub reference: Option<Text<1, 128>>,
        /// Your own words.
        pub description: Option<Text<1, 500>>,
        /// When it counts; now, if absent.
        pub effective_at: Option<Time>,
    }
    example {
        "type": "transfer",
        "from": "0197a4c2-7c1e-7d3a-9f57-1f6f6d1f2a00",
        "to": "0197a4c2-7c1e-7d3a-9f57-1f6f6d1f2a01",
        "amount": { "amount": "12.50", "currency": "GBP" },
        "reference": "order-1042"
    }
}

impl Shape for NewTransaction {}

impl From<NewTransaction> for transactions::NewTransaction {
    fn from(body: NewTransaction) -> transactions::NewTransaction {
        transactions::NewTransaction {
            kind: transactions::Kind::parse(body.kind.word()).expect("the API has the domain's words"),
            from: body.from.map(|Id(id)| AccountId(id)),
            to: body.to.map(|Id(id)| AccountId(id)),
            amount: body.amount.map(|MoneyField(money)| money),
            product_id: body.product_id.map(|Id(id)| ProductId(id)),
            quantity: body.quantity.map(|Integer(n)| i32::try_from(n).expect("the field's bounds are an i32's")),
            expected_price: body.expected_price.map(|MoneyField(money)| money),
            reverses: body.reverses.map(|Id(id)| TransactionId(id)),
            resolves: body.hold_id.map(|Id(id)| TransactionId(id)),
            legs: body.legs.into_iter().flat_map(|List(legs)| legs).map(transactions::Leg::from).collect(),
            hold: body.hold.map(|hold| transactions::NewHold { expires_at: hold.expires_at.map(|Time(time)| time) }),
            reference: body.reference.map(Text::into_inner),
            description: body.description.map(Text::into_inner),
            effective_at: body.effective_at.map(|Time(time)| time),
        }
    }
}
