//! `POST /api/v1/users`

use domain::access::password;
use domain::accounts::{self, CURRENCIES_DEFAULT};
use jobs::open_wallets::{self, Created};
use jobs::submitted::Submitted;
use poem_openapi::param::Header;
use poem_openapi::{ApiResponse, OpenApi};
use serde_json::Value;

use crate::auth::{Caller, needs};
use crate::body::list::List;
use crate::body::money::CurrencyCode;
use crate::body::object::object;
use crate::body::profile::{Country, Email, Name};
use crate::body::text::Text;
use crate::body::{Body, Shape};
use crate::idempotency::{IdempotencyKey, repeatable};
use crate::problem::Problem;
use crate::reply::{Failure, Operation, Refusal, Reply, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::user::{Role, UserView};

pub(crate) struct CreateUser(pub(crate) State);

impl Operation for CreateUser {
    const REFUSALS: &'static [&'static [Refusal]] = &[
        refusals::SIGNED_IN,
        refusals::BODY,
        refusals::IDEMPOTENT,
        &[Refusal { status: 409, code: "email_taken", when: "Another user, `existing_id`, has this address." }],
        &[Refusal { status: 503, code: "busy", when: "Too many passwords are being hashed." }],
        refusals::ANY,
    ];
}

object! {
    /// What a user is created from.
    pub(crate) struct NewUser {
        /// The address, unique without regard to case.
        pub email: Email,
        /// What the user is called.
        pub name: Name,
        /// Free text.
        pub country: Option<Country>,
        /// For a user who logs in; without one there are only API keys. Not one of those that are tried first.
        pub password: Option<Text<{ password::LENGTH_MIN }, { password::LENGTH_MAX }>>,
        /// What the user may do; `user` if absent.
        pub role: Option<Role>,
        /// One wallet each; GBP if absent.
        pub currencies: Option<List<CurrencyCode, 1, 10>>,
    }
    example { "email": "ada@example.org", "name": "Ada Lovelace", "country": "United Kingdom", "currencies": ["GBP"] }
}

impl Shape for NewUser {}

#[derive(ApiResponse)]
pub(crate) enum Response {
    /// The user, with wallets that the job `job_id` opens.
    #[oai(status = 201)]
    Created(
        Reply<UserView>,
        /// Where the user is.
        #[oai(header = "Location")]
        String,
        /// `true` when this answers an earlier request of the same key.
        #[oai(header = "Idempotency-Replayed")]
        Option<bool>,
    ),
}

#[OpenApi(tag = "Tag::Users")]
impl CreateUser {
    /// Create a user
    ///
    /// Takes the role `admin`. A job opens the user's wallets in the ledger; until then they are `opening`.
    #[oai(path = "/api/v1/users", method = "post", operation_id = "createUser")]
    async fn call(
        &self,
        #[oai(scope = "needs::USERS_ADMIN")] caller: Caller,
        /// Makes the request safe to repeat: the same key and body get the same answer.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<IdempotencyKey>>,
        body: Body<NewUser>,
    ) -> Result<Response, Failure<Self>> {
        let new = self.checked(body.value).await?;
        let repeatable = repeatable(key.0, "POST /api/v1/users", body.fingerprint, kept);
        let Caller(principal) = caller;
        let state = &self.0;
        match open_wallets::submit(&state.pool, &state.notifier, &principal, &new, repeatable.as_ref()).await? {
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

impl CreateUser {
    /// The domain's request, its rules checked, the password hashed.
    async fn checked(&self, body: NewUser) -> Result<accounts::NewUser, Problem> {
        let role = body.role.unwrap_or(Role::User);
        let currencies = body.currencies.map(|List(codes)| codes.into_iter().map(|CurrencyCode(code)| code).collect());
        let mut new = accounts::NewUser {
            email: body.email.0,
            name: body.name.0,
            country: body.country.map(|Country(country)| country),
            role: domain::Role::parse(role.word()).expect("the API has the domain's words"),
            password_hash: None,
            currencies: currencies.unwrap_or_else(|| CURRENCIES_DEFAULT.to_vec()),
        };
        new.validate(body.password.as_deref())?;
        if let Some(password) = body.password {
            new.password_hash = Some(self.0.hashing.run(move || password::hash(&password)).await?);
        }
        Ok(new)
    }
}

fn view(created: &Created) -> UserView {
    UserView { job_id: Some(created.job_id), ..UserView::from(&created.user) }
}

fn kept(created: &Created) -> Option<Value> {
    serde_json::to_value(view(created)).ok()
}

fn location(id: &str) -> String {
    format!("/api/v1/users/{id}")
}
