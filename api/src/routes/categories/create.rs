//! `POST /api/v1/categories`

use domain::products::{CategoryId, categories};
use jobs::submitted::{self, Submitted};
use poem_openapi::param::Header;
use poem_openapi::{ApiResponse, OpenApi};
use serde_json::Value;
use sqlx::PgConnection;

use super::CategoryNumber;
use crate::auth::{Caller, needs};
use crate::body::object::object;
use crate::body::text::Text;
use crate::body::{Body, Shape};
use crate::idempotency::{IdempotencyKey, repeatable};
use crate::reply::{Failure, Operation, Refusal, Reply, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::category::CategoryView;

pub(crate) struct CreateCategory(pub(crate) State);

impl Operation for CreateCategory {
    const REFUSALS: &'static [&'static [Refusal]] = &[
        refusals::SIGNED_IN,
        refusals::BODY,
        refusals::IDEMPOTENT,
        &[
            Refusal { status: 409, code: "name_taken", when: "Another category is called so." },
            Refusal { status: 409, code: "too_deep", when: "The tree would have more than ten levels." },
            Refusal { status: 409, code: "too_many_categories", when: "There are 1,000 of them." },
        ],
        refusals::ANY,
    ];
}

object! {
    /// What a category is made from.
    pub(crate) struct NewCategory {
        /// What it is called; it is kept in lower case, and no other category is called so.
        pub name: Text<1, 100>,
        /// The one above; at the top if absent.
        pub parent_id: Option<CategoryNumber>,
    }
    example { "name": "candles", "parent_id": 7 }
}

impl Shape for NewCategory {}

#[derive(ApiResponse)]
pub(crate) enum Response {
    /// The category.
    #[oai(status = 201)]
    Created(
        Reply<CategoryView>,
        /// Where it is.
        #[oai(header = "Location")]
        String,
        /// `true` when this answers an earlier request of the same key.
        #[oai(header = "Idempotency-Replayed")]
        Option<bool>,
    ),
}

#[OpenApi(tag = "Tag::Categories")]
impl CreateCategory {
    /// Create a category
    ///
    /// For staff.
    #[oai(path = "/api/v1/categories", method = "post", operation_id = "createCategory")]
    async fn call(
        &self,
        #[oai(scope = "needs::PRODUCTS_ADMIN")] caller: Caller,
        /// Makes the request safe to repeat: the same key and body get the same answer.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<IdempotencyKey>>,
        body: Body<NewCategory>,
    ) -> Result<Response, Failure<Self>> {
        let repeatable = repeatable(key.0, "POST /api/v1/categories", body.fingerprint, kept);
        let (Caller(principal), new) = (caller, body.value);
        let effect = async move |conn: &mut PgConnection| {
            categories::create(conn, &principal, &new.name, new.parent_id.map(CategoryId::from)).await
        };
        match submitted::once(&self.0.pool, &principal, repeatable.as_ref(), effect).await? {
            Submitted::Done(category) => {
                let view = CategoryView::from(&category);
                Ok(Response::Created(Reply::of(&view), location(&view.id.to_string()), None))
            }
            Submitted::Replayed(kept) => {
                Ok(Response::Created(Reply::kept(&kept), location(&kept["id"].to_string()), Some(true)))
            }
        }
    }
}

fn kept(category: &categories::Category) -> Option<Value> {
    serde_json::to_value(CategoryView::from(category)).ok()
}

fn location(id: &str) -> String {
    format!("/api/v1/categories/{id}")
}
