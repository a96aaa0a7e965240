//! `POST /api/v1/category-rules`

use domain::products::rules;
use jobs::submitted::{self, Submitted};
use poem_openapi::param::Header;
use poem_openapi::{ApiResponse, OpenApi};
use serde_json::Value;
use sqlx::PgConnection;

use super::{Rank, rank};
use crate::auth::{Caller, needs};
use crate::body::object::object;
use crate::body::text::Text;
use crate::body::{Body, Shape};
use crate::idempotency::{IdempotencyKey, repeatable};
use crate::reply::{Failure, Operation, Refusal, Reply, refusals};
use crate::routes::Tag;
use crate::routes::categories::CategoryNumber;
use crate::state::State;
use crate::views::category::RuleView;

pub(crate) struct CreateCategoryRule(pub(crate) State);

impl Operation for CreateCategoryRule {
    const REFUSALS: &'static [&'static [Refusal]] = &[
        refusals::SIGNED_IN,
        refusals::BODY,
        refusals::IDEMPOTENT,
        &[
            Refusal { status: 409, code: "keyword_taken", when: "Another rule has this keyword." },
            Refusal { status: 409, code: "too_many_rules", when: "There are 1,000 of them." },
        ],
        refusals::ANY,
    ];
}

object! {
    /// What a rule is made from.
    pub(crate) struct NewCategoryRule {
        /// Rules of lower ranks are tried first.
        pub rank: Rank,
        /// What the name of a product has to hold, without regard to case; no other rule has it.
        pub keyword: Text<2, 100>,
        /// What the product becomes.
        pub category_id: CategoryNumber,
    }
    example { "rank": 40, "keyword": "NIGHT LIGHT", "category_id": 7 }
}

impl Shape for NewCategoryRule {}

#[derive(ApiResponse)]
pub(crate) enum Response {
    /// The rule.
    #[oai(status = 201)]
    Created(
        Reply<RuleView>,
        /// Where it is.
        #[oai(header = "Location")]
        String,
        /// `true` when this answers an earlier request of the same key.
        #[oai(header = "Idempotency-Replayed")]
        Option<bool>,
    ),
}

#[OpenApi(tag = "Tag::Categories")]
impl CreateCategoryRule {
    /// Create a category rule
    ///
    /// For staff. It holds for products that are categorised from then on.
    #[oai(path = "/api/v1/category-rules", method = "post", operation_id = "createCategoryRule")]
    async fn call(
        &self,
        #[oai(scope = "needs::PRODUCTS_ADMIN")] caller: Caller,
        /// Makes the request safe to repeat: the same key and body get the same answer.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<IdempotencyKey>>,
        body: Body<NewCategoryRule>,
    ) -> Result<Response, Failure<Self>> {
        let repeatable = repeatable(key.0, "POST /api/v1/category-rules", body.fingerprint, kept);
        let (Caller(principal), new) = (caller, body.value);
        let effect = async move |conn: &mut PgConnection| {
            let new = rules::NewRule {
                rank: rank(new.rank),
                keyword: new.keyword.into_inner(),
                category_id: new.category_id.into(),
            };
            rules::create(conn, &principal, &new).await
        };
        match submitted::once(&self.0.pool, &principal, repeatable.as_ref(), effect).await? {
            Submitted::Done(rule) => {
                let view = RuleView::from(&rule);
                Ok(Response::Created(Reply::of(&view), location(&view.id.to_string()), None))
            }
            Submitted::Replayed(kept) => {
                Ok(Response::Created(Reply::kept(&kept), location(&kept["id"].to_string()), Some(true)))
            }
        }
    }
}

fn kept(rule: &rules::Rule) -> Option<Value> {
    serde_json::to_value(RuleView::from(rule)).ok()
}

fn location(id: &str) -> String {
    format!("/api/v1/category-rules/{id}")
}
