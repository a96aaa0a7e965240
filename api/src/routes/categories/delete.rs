//! `DELETE /api/v1/categories/{id}`

use domain::products::categories;
use poem_openapi::param::Path;
use poem_openapi::{ApiResponse, OpenApi};
use sqlx::Connection;

use super::CategoryNumber;
use crate::auth::{Caller, needs};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;

pub(crate) struct DeleteCategory(pub(crate) State);

impl Operation for DeleteCategory {
    const REFUSALS: &'static [&'static [Refusal]] = &[
        refusals::SIGNED_IN,
        refusals::PARAMETERS,
        refusals::ONE,
        &[Refusal { status: 409, code: "category_in_use", when: "A product, a rule or another category is in it." }],
        refusals::ANY,
    ];
}

#[derive(ApiResponse)]
pub(crate) enum Response {
    /// It is gone.
    #[oai(status = 204)]
    Deleted,
}

#[OpenApi(tag = "Tag::Categories")]
impl DeleteCategory {
    /// Delete a category
    ///
    /// For staff. One that nothing is in.
    #[oai(path = "/api/v1/categories/:id", method = "delete", operation_id = "deleteCategory")]
    async fn call(
        &self,
        #[oai(scope = "needs::PRODUCTS_ADMIN")] caller: Caller,
        /// The category.
        id: Path<CategoryNumber>,
    ) -> Result<Response, Failure<Self>> {
        let mut connection = self.0.connection().await?;
        let mut tx = connection.begin().await?;
        categories::delete(&mut tx, &caller.0, id.0.into()).await?;
        tx.commit().await?;
        Ok(Response::Deleted)
    }
}
