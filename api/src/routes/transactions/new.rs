//! What a transaction is made from, alone or in a batch.

use domain::ProductId;
use domain::transactions;
use ledger::{AccountId, TransactionId};

use crate::body::Shape;
use crate::body::integer::Integer;
use crate::body::money::MoneyField;
use crate::body::object::object;
use crate::body::text::{Id, Text, Time};
use crate::views::transaction::Kind;

object! {
    /// What a transaction is made from. Which fields it needs depends on its type: a deposit has no `from`, a withdrawal no `to`,
    /// a reversal neither of them and no `amount`.
    pub(crate) struct NewTransaction {
        /// What it is for.
        pub kind as "type": Kind,
        /// The account that is debited.
        pub from: Option<Id>,
        /// The account that is credited.
        pub to: Option<Id>,
        /// How much: more than zero.
        pub amount: Option<MoneyField>,
        /// What was bought: for a purchase or a refund.
        pub product_id: Option<Id>,
        /// How many were bought: with a product only.
        pub quantity: Option<Integer<1, 2_147_483_647>>,
        /// The transaction to take back whole: for a reversal.
        pub reverses: Option<Id>,
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
            reverses: body.reverses.map(|Id(id)| TransactionId(id)),
            reference: body.reference.map(Text::into_inner),
            description: body.description.map(Text::into_inner),
            effective_at: body.effective_at.map(|Time(time)| time),
        }
    }
}
