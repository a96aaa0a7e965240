//! `DELETE /api/v1/category-rules/{id}`

use domain::products::rules;
use poem_openapi::param::Path;
use poem_openapi::{ApiResponse, OpenApi};
use sqlx::Connection;

use super::{RuleNumber, rule_id};
use crate::auth::{Caller, needs};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;

pub(crate) struct DeleteCategoryRule(pub(crate) State);

impl Operation for DeleteCategoryRule {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ONE, refusals::ANY];
}

#[derive(ApiResponse)]
pub(crate) enum Response {
    /// It is gone.
    #[oai(status = 204)]
    Deleted,
}

#[OpenApi(tag = "Tag::Categories")]
impl DeleteCategoryRule {
    /// Delete a category rule
    ///
    /// For staff. What it gave products stays until they are categorised again.
    #[oai(path = "/api/v1/category-rules/:id", method = "delete", operation_id = "deleteCategoryRule")]
    async fn call(
        &self,
        #[oai(scope = "needs::PRODUCTS_ADMIN")] caller: Caller,
        /// The rule.
        id: Path<RuleNumber>,
    ) -> Result<Response, Failure<Self>> {
        let mut connection = self.0.connection().await?;
        let mut tx = connection.begin().await?;
        rules::delete(&mut tx, &caller.0, rule_id(id.0)).await?;
        tx.commit().await?;
        Ok(Response::Deleted)
    }
}
