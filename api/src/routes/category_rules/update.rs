//! `PATCH /api/v1/category-rules/{id}`

use domain::products::{CategoryId, rules};
use poem_openapi::param::Path;
use poem_openapi::{ApiResponse, OpenApi};
use sqlx::Connection;

use super::{Rank, RuleNumber, rank, rule_id};
use crate::auth::{Caller, needs};
use crate::body::object::object;
use crate::body::text::Text;
use crate::body::{Body, Shape};
use crate::reply::{Failure, Operation, Refusal, Reply, refusals};
use crate::routes::Tag;
use crate::routes::categories::CategoryNumber;
use crate::state::State;
use crate::views::category::RuleView;

pub(crate) struct UpdateCategoryRule(pub(crate) State);

impl Operation for UpdateCategoryRule {
    const REFUSALS: &'static [&'static [Refusal]] = &[
        refusals::SIGNED_IN,
        refusals::BODY,
        refusals::ONE,
        &[Refusal { status: 409, code: "keyword_taken", when: "Another rule has this keyword." }],
        refusals::ANY,
    ];
}

object! {
    /// What a rule is to become; what is absent or null stays.
    pub(crate) struct CategoryRuleChange {
        /// Its new rank.
        pub rank: Option<Rank>,
        /// Its new keyword.
        pub keyword: Option<Text<2, 100>>,
        /// What products become.
        pub category_id: Option<CategoryNumber>,
    }
    example { "rank": 35 }
}

impl Shape for CategoryRuleChange {}

#[derive(ApiResponse)]
pub(crate) enum Response {
    /// The rule as it is now.
    #[oai(status = 200)]
    Changed(Reply<RuleView>),
}

#[OpenApi(tag = "Tag::Categories")]
impl UpdateCategoryRule {
    /// Change a category rule
    ///
    /// For staff. It holds for products that are categorised from then on.
    #[oai(path = "/api/v1/category-rules/:id", method = "patch", operation_id = "updateCategoryRule")]
    async fn call(
        &self,
        #[oai(scope = "needs::PRODUCTS_ADMIN")] caller: Caller,
        /// The rule.
        id: Path<RuleNumber>,
        body: Body<CategoryRuleChange>,
    ) -> Result<Response, Failure<Self>> {
        let change = rules::Change {
            rank: body.value.rank.map(rank),
            keyword: body.value.keyword.map(Text::into_inner),
            category_id: body.value.category_id.map(CategoryId::from),
        };
        let mut connection = self.0.connection().await?;
        let mut tx = connection.begin().await?;
        let rule = rules::update(&mut tx, &caller.0, rule_id(id.0), &change).await?;
        tx.commit().await?;
        Ok(Response::Changed(Reply::of(&RuleView::from(&rule))))
    }
}
