//! `PATCH /api/v1/users/{id}`

use domain::{UserId, accounts};
use poem_openapi::param::{Header, Path};
use poem_openapi::{ApiResponse, OpenApi};
use sqlx::Connection;

use crate::auth::{Caller, needs};
use crate::body::change::Change;
use crate::body::choice::choice;
use crate::body::object::object;
use crate::body::profile::{Country, Email, HttpsUrl, Locale, Name, Phone, TimeZone};
use crate::body::text::{Id, Text};
use crate::body::{Body, Shape};
use crate::precondition::{self, IfMatch};
use crate::reply::{Failure, Operation, Refusal, Reply, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::user::{Role, UserView};

pub(crate) struct UpdateUser(pub(crate) State);

impl Operation for UpdateUser {
    const REFUSALS: &'static [&'static [Refusal]] = &[
        refusals::SIGNED_IN,
        refusals::BODY,
        refusals::CONDITIONAL,
        refusals::ONE,
        &[
            Refusal { status: 409, code: "email_taken", when: "Another user, `existing_id`, has this address." },
            Refusal { status: 409, code: "own_account", when: "Nobody changes their own role or status." },
            Refusal { status: 409, code: "user_deleted", when: "The user was deleted." },
        ],
        refusals::ANY,
    ];
}

choice! {
    /// What a user's status can be set to.
    pub(crate) enum NewStatus {
        /// The user may log in.
        Active = "active",
        /// All sessions end at once, and API keys do not work.
        Suspended = "suspended",
    }
}

object! {
    /// What is to change of a user; what is left out stays.
    pub(crate) struct UserChanges {
        /// What the user is called.
        pub name: Option<Name>,
        /// The address, unique without regard to case. The user itself changes it with a session, not with an API key.
        pub email: Option<Email>,
        /// Free text; null removes it.
        pub country: Change<Country>,
        /// A telephone number in E.164; null removes it.
        pub phone: Change<Phone>,
        /// A language tag of BCP 47; null removes it.
        pub locale: Change<Locale>,
        /// The name of a time zone; null removes it.
        pub time_zone: Change<TimeZone>,
        /// An https address of a picture, which nothing here fetches; null removes it.
        pub avatar_url: Change<HttpsUrl>,
        /// The user's own words; null removes them.
        pub bio: Change<Text<1, 1_000>>,
        /// For an administrator, about others.
        pub role: Option<Role>,
        /// For an administrator, about others.
        pub status: Option<NewStatus>,
    }
    example { "name": "Ada King", "time_zone": "Europe/London", "phone": "+442079460000", "bio": null }
}

impl Shape for UserChanges {}

#[derive(ApiResponse)]
pub(crate) enum Response {
    /// The user as it is now.
    #[oai(status = 200)]
    Changed(
        Reply<UserView>,
        /// Its tag now.
        #[oai(header = "ETag")]
        String,
    ),
}

#[OpenApi(tag = "Tag::Users")]
impl UpdateUser {
    /// Change a user
    ///
    /// A user changes its own profile, an administrator anybody's, and others' role and status. Suspending a user ends all its sessions
    /// in the same commit. Takes the `ETag` that the user was read with.
    #[oai(path = "/api/v1/users/:id", method = "patch", operation_id = "updateUser")]
    async fn call(
        &self,
        #[oai(scope = "needs::USERS_WRITE")] caller: Caller,
        /// The user.
        id: Path<Id>,
        /// The `ETag` of the user as it was read.
        #[oai(name = "If-Match")]
        if_match: Header<Option<IfMatch>>,
        body: Body<UserChanges>,
    ) -> Result<Response, Failure<Self>> {
        let tag = precondition::required(if_match.0)?;
        let changes = changes(body.value);
        changes.validate()?;
        let mut connection = self.0.connection().await?;
        let mut tx = connection.begin().await?;
        let allows = |user: &accounts::User| tag.holds(&UserView::from(user));
        let user = accounts::update(&mut tx, &caller.0, UserId(id.0.0), &changes, allows).await?;
        tx.commit().await?;
        if changes.role.is_some() || changes.is_active.is_some() {
            self.0.tokens.forget(user.id);
        }
        let reply = Reply::of(&UserView::from(&user));
        let tag = reply.tag();
        Ok(Response::Changed(reply, tag))
    }
}

fn changes(body: UserChanges) -> accounts::Changes {
    accounts::Changes {
        name: body.name.map(|Name(name)| name),
        email: body.email.map(|Email(email)| email),
        country: body.country.map(|Country(country)| country),
        phone: body.phone.map(|Phone(phone)| phone),
        locale: body.locale.map(|Locale(locale)| locale),
        time_zone: body.time_zone.map(|TimeZone(zone)| zone),
        avatar_url: body.avatar_url.map(|HttpsUrl(url)| url),
        bio: body.bio.map(Text::into_inner),
        role: body.role.and_then(|role| domain::Role::parse(role.word())),
        is_active: body.status.map(|status| status == NewStatus::Active),
    }
}
