//! `POST /api/v1/products`

use domain::products;
use jobs::categorize::{self, Created};
use jobs::submitted::Submitted;
use poem_openapi::param::Header;
use poem_openapi::{ApiResponse, OpenApi};
use serde_json::Value;

use crate::auth::{Caller, needs};
use crate::body::money::MoneyField;
use crate::body::object::object;
use crate::body::text::Text;
use crate::body::{Body, Shape};
use crate::idempotency::{IdempotencyKey, repeatable};
use crate::reply::{Failure, Operation, Refusal, Reply, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::product::ProductView;

pub(crate) struct CreateProduct(pub(crate) State);

impl Operation for CreateProduct {
    const REFUSALS: &'static [&'static [Refusal]] = &[
        refusals::SIGNED_IN,
        refusals::BODY,
        refusals::IDEMPOTENT,
        &[Refusal { status: 409, code: "sku_taken", when: "Another of your products, `existing_id`, has this code." }],
        refusals::ANY,
    ];
}

object! {
    /// What a product is created from.
    pub(crate) struct NewProduct {
        /// Your own code for it, unique among your products.
        pub sku: Text<1, 64>,
        /// What it is called.
        pub name: Text<1, 200>,
        /// What it is.
        pub description: Option<Text<1, 4_000>>,
        /// What one costs: more than zero.
        pub price: MoneyField,
    }
    example { "sku": "85123A", "name": "White hanging heart T-light holder", "price": { "amount": "2.55", "currency": "GBP" } }
}

impl Shape for NewProduct {}

impl From<NewProduct> for products::NewProduct {
    fn from(body: NewProduct) -> products::NewProduct {
        products::NewProduct {
            sku: body.sku.into_inner(),
            name: body.name.into_inner(),
            description: body.description.map(Text::into_inner),
            price: body.price.0,
        }
    }
}

#[derive(ApiResponse)]
pub(crate) enum Response {
    /// The product; the job `job_id` gives it a category.
    #[oai(status = 201)]
    Created(
        Reply<ProductView>,
        /// Where the product is.
        #[oai(header = "Location")]
        String,
        /// `true` when this answers an earlier request of the same key.
        #[oai(header = "Idempotency-Replayed")]
        Option<bool>,
    ),
}

#[OpenApi(tag = "Tag::Products")]
impl CreateProduct {
    /// Create a product
    ///
    /// It is the caller's. A job gives it a category by the book's rules.
    #[oai(path = "/api/v1/products", method = "post", operation_id = "createProduct")]
    async fn call(
        &self,
        #[oai(scope = "needs::PRODUCTS_WRITE")] caller: Caller,
        /// Makes the request safe to repeat: the same key and body get the same answer.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<IdempotencyKey>>,
        body: Body<NewProduct>,
    ) -> Result<Response, Failure<Self>> {
        let new = products::NewProduct::from(body.value);
        new.validate()?;
        let repeatable = repeatable(key.0, "POST /api/v1/products", body.fingerprint, kept);
        let state = &self.0;
        match categorize::submit(&state.pool, &state.notifier, &caller.0, &new, repeatable.as_ref()).await? {
            Submitted::Done(created) => {
                let view = view(&created);
                Ok(Response::Created(Reply::of(&view), location(&view.id.to_string()), None))
            }
            Submitted::Replayed(kept) => {
                let location = location(kept["id"].as_str().unwrap_or_default());
                Ok(Response::Created(Reply::kept(&kept), location, Some(true)))
            }
        }
    }
}

fn view(created: &Created) -> ProductView {
    ProductView { job_id: Some(created.job_id), ..ProductView::from(&created.product) }
}

fn kept(created: &Created) -> Option<Value> {
    serde_json::to_value(view(created)).ok()
}

fn location(id: &str) -> String {
    format!("/api/v1/products/{id}")
}
