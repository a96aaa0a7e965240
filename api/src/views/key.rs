//! API keys.

use chrono::{DateTime, Utc};
use domain::access::keys::ApiKey;
use poem_openapi::Object;
use serde::Serialize;
use uuid::Uuid;

/// A long-lived credential of a program.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "ApiKey")]
pub(crate) struct ApiKeyView {
    /// What it is called in addresses; no secret.
    pub id: Uuid,
    /// Whose rights it carries.
    pub user_id: Uuid,
    /// What its owner calls it.
    pub name: String,
    /// Its first characters, to recognise it by.
    pub hint: String,
    /// What it may do of what its owner may; empty: all of it, now and later.
    pub scopes: Vec<String>,
    /// The key itself: only in the answer to createApiKey, this once. It is not kept, so a repeated request has it no more.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// From when on it is refused; absent: never.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was used last, to a minute or two; absent: never.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it was withdrawn; absent: it is good.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<DateTime<Utc>>,
}

impl From<&ApiKey> for ApiKeyView {
    fn from(key: &ApiKey) -> ApiKeyView {
        ApiKeyView {
            id: key.id,
            user_id: key.user_id.0,
            name: key.name.clone(),
            hint: key.hint.clone(),
            scopes: key.scopes.clone(),
            key: None,
            created_at: key.created_at,
            expires_at: key.expires_at,
            last_used_at: key.last_used_at,
            revoked_at: key.revoked_at,
        }
    }
}
