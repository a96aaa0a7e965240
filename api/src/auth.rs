//! Who asks: bearer tokens, and the short memory of those that were verified.

pub(crate) mod client;
pub(crate) mod guessing;
mod key_use;
pub(crate) mod needs;
mod revocations;
mod tokens;

use domain::Principal;
use domain::access::scope::{Scope, Scopes};
use domain::access::token::Token;
use poem::http::header;
use poem::{Request, RequestBody, Result};
use poem_openapi::registry::{MetaSecurityScheme, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

pub(crate) use tokens::Tokens;

use crate::edge::Context;
use crate::problem::Problem;

/// The name of the security scheme in the OpenAPI document.
const SCHEME: &str = "bearer";

/// The authenticated caller; an operation that takes it cannot be called without a valid token that has the scopes of its attribute
/// (`#[oai(scope = "needs::…")]`).
pub(crate) struct Caller(pub(crate) Principal);

impl<'a> ApiExtractor<'a> for Caller {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        let scheme = MetaSecurityScheme {
            ty: "http",
            description: Some(needs::SCHEME.as_str()),
            name: None,
            key_in: None,
            scheme: Some("bearer"),
            bearer_format: None,
            flows: None,
            openid_connect_url: None,
        };
        registry.create_security_scheme(SCHEME, scheme);
    }

    fn security_schemes() -> Vec<&'static str> {
        vec![SCHEME]
    }

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> Result<Caller> {
        let context = Context::from(request);
        let refused = || Problem::unauthorized("This token is not valid: it is unknown, expired or revoked.");
        let token = bearer(request)?;
        let token = Token::parse(token).ok_or_else(refused)?;
        let principal = context.state.tokens.principal(&context.state.pool, token).await.map_err(Problem::from)?;
        let principal = principal.ok_or_else(refused)?;
        context.count(&principal, request)?;
        let lacking = context.paths.scopes(request).iter().find(|scope| !principal.scopes.has(**scope));
        match lacking {
            None => Ok(Caller(principal)),
            Some(scope) => Err(lacks(&principal, *scope).into()),
        }
    }
}

/// Says what the metrics are, once, for the exporter.
pub(crate) fn describe_metrics() {
    tokens::describe_metrics();
    guessing::describe_metrics();
}

/// Says which scope is lacking, and whether it is the role's or only the key's fault.
fn lacks(principal: &Principal, scope: Scope) -> Problem {
    let name = scope.as_str();
    let detail = if Scopes::of_role(principal.role).has(scope) {
        format!("This takes the scope {name}, which this API key was not given.")
    } else {
        format!("This takes the scope {name}, which the role {} has not.", principal.role.as_str())
    };
    Problem::forbidden(detail).extension("scope", name)
}

/// The token in `Authorization: Bearer <token>`.
pub(crate) fn bearer(request: &Request) -> Result<&str, Problem> {
    let given = request.header(header::AUTHORIZATION);
    let parts = given.and_then(|value| value.split_once(' '));
    match parts {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        _ => Err(Problem::unauthorized("This needs the header Authorization: Bearer <token>.")),
    }
}
