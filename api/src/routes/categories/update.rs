//! `PATCH /api/v1/categories/{id}`

use domain::products::{CategoryId, categories};
use poem_openapi::param::Path;
use poem_openapi::{ApiResponse, OpenApi};
use sqlx::Connection;

use super::CategoryNumber;
use crate::auth::{Caller, needs};
use crate::body::change;
use crate::body::object::object;
use crate::body::text::Text;
use crate::body::{Body, Shape};
use crate::reply::{Failure, Operation, Refusal, Reply, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::category::CategoryView;

pub(crate) struct UpdateCategory(pub(crate) State);

impl Operation for UpdateCategory {
    const REFUSALS: &'static [&'static [Refusal]] = &[
        refusals::SIGNED_IN,
        refusals::BODY,
        refusals::ONE,
        &[
            Refusal { status: 409, code: "name_taken", when: "Another category is called so." },
            Refusal { status: 409, code: "category_cycle", when: "The one above would be itself below this one." },
            Refusal { status: 409, code: "too_deep", when: "The tree would have more than ten levels." },
        ],
        refusals::ANY,
    ];
}

object! {
    /// What a category is to become; what is absent stays.
    pub(crate) struct CategoryChange {
        /// Its new name; null leaves it.
        pub name: Option<Text<1, 100>>,
        /// The one above; null moves it to the top.
        pub parent_id: change::Change<CategoryNumber>,
    }
    example { "name": "candles and lanterns" }
}

impl Shape for CategoryChange {}

#[derive(ApiResponse)]
pub(crate) enum Response {
    /// The category as it is now.
    #[oai(status = 200)]
    Changed(Reply<CategoryView>),
}

#[OpenApi(tag = "Tag::Categories")]
impl UpdateCategory {
    /// Rename or move a category
    ///
    /// For staff.
    #[oai(path = "/api/v1/categories/:id", method = "patch", operation_id = "updateCategory")]
    async fn call(
        &self,
        #[oai(scope = "needs::PRODUCTS_ADMIN")] caller: Caller,
        /// The category.
        id: Path<CategoryNumber>,
        body: Body<CategoryChange>,
    ) -> Result<Response, Failure<Self>> {
        let change = categories::Change {
            name: body.value.name.map(Text::into_inner),
            parent: body.value.parent_id.map(CategoryId::from),
        };
        let mut connection = self.0.connection().await?;
        let mut tx = connection.begin().await?;
        let category = categories::update(&mut tx, &caller.0, id.0.into(), &change).await?;
        tx.commit().await?;
        Ok(Response::Changed(Reply::of(&CategoryView::from(&category))))
    }
}
