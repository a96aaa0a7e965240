//! `PATCH /api/v1/products/{id}`

use domain::ProductId;
use domain::products::{self, CategoryId, Change, Status};
use poem_openapi::param::{Header, Path};
use poem_openapi::{ApiResponse, OpenApi};
use sqlx::Connection;

use crate::auth::{Caller, needs};
use crate::body::change;
use crate::body::money::MoneyField;
use crate::body::object::object;
use crate::body::text::{Id, Text};
use crate::body::{Body, Shape};
use crate::precondition::{self, IfMatch};
use crate::reply::{Failure, Operation, Refusal, Reply, refusals};
use crate::routes::Tag;
use crate::routes::categories::CategoryNumber;
use crate::state::State;
use crate::views::product::{ProductStatus, ProductView};

pub(crate) struct UpdateProduct(pub(crate) State);

impl Operation for UpdateProduct {
    const REFUSALS: &'static [&'static [Refusal]] = &[
        refusals::SIGNED_IN,
        refusals::CONDITIONAL,
        refusals::BODY,
        refusals::ONE,
        &[Refusal {
            status: 409,
            code: "sku_taken",
            when: "Another product of the owner, `existing_id`, has this code.",
        }],
        refusals::ANY,
    ];
}

object! {
    /// What a product is to become; what is absent stays, and so does what is null, unless it says otherwise.
    pub(crate) struct ProductChange {
        /// The owner's new code for it, unique among the owner's products.
        pub sku: Option<Text<1, 64>>,
        /// What it is called.
        pub name: Option<Text<1, 200>>,
        /// What it is; null takes it away.
        pub description: change::Change<Text<1, 4_000>>,
        /// What one costs: more than zero.
        pub price: Option<MoneyField>,
        /// The category, which no rule changes from then on; null takes it away and lets the rules decide.
        pub category_id: change::Change<CategoryNumber>,
        /// `archived`: lists and searches leave it out; `active`: they no longer do.
        pub status: Option<ProductStatus>,
    }
    example { "name": "White hanging heart", "price": { "amount": "2.95", "currency": "GBP" }, "category_id": 7 }
}

impl Shape for ProductChange {}

impl From<ProductChange> for Change {
    fn from(body: ProductChange) -> Change {
        Change {
            sku: body.sku.map(Text::into_inner),
            name: body.name.map(Text::into_inner),
            description: body.description.map(Text::into_inner),
            price: body.price.map(|MoneyField(price)| price),
            category: body.category_id.map(CategoryId::from),
            status: body.status.and_then(|status| Status::parse(status.word())),
        }
    }
}

#[derive(ApiResponse)]
pub(crate) enum Response {
    /// The product as it is now.
    #[oai(status = 200)]
    Changed(
        Reply<ProductView>,
        /// Changes whenever the product does.
        #[oai(header = "ETag")]
        String,
    ),
}

#[OpenApi(tag = "Tag::Products")]
impl UpdateProduct {
    /// Change, archive or restore a product
    ///
    /// The caller's own, or anybody's for staff.
    #[oai(path = "/api/v1/products/:id", method = "patch", operation_id = "updateProduct")]
    async fn call(
        &self,
        #[oai(scope = "needs::PRODUCTS_WRITE")] caller: Caller,
        /// The product.
        id: Path<Id>,
        /// The product's `ETag`, as it was read: if it has changed since, nothing is done.
        #[oai(name = "If-Match")]
        if_match: Header<Option<IfMatch>>,
        body: Body<ProductChange>,
    ) -> Result<Response, Failure<Self>> {
        let tag = precondition::required(if_match.0)?;
        let change = Change::from(body.value);
        change.validate()?;
        let mut connection = self.0.connection().await?;
        let mut tx = connection.begin().await?;
        let holds = |product: &products::Product| tag.holds(&ProductView::from(product));
        let product = products::update(&mut tx, &caller.0, ProductId(id.0.0), &change, holds).await?;
        tx.commit().await?;
        let reply = Reply::of(&ProductView::from(&product));
        let tag = reply.tag();
        Ok(Response::Changed(reply, tag))
    }
}
