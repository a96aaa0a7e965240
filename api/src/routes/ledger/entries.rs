//! `GET /api/v1/ledger/tile/entries/{bundle}`

use poem::http::Uri;
use poem_openapi::OpenApi;

use super::signed::{Immutable, TILES, UNSIGNED, tile};
use super::tile::PREFIX;
use crate::auth::{Caller, needs};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;

pub(crate) struct GetEntries(pub(crate) State);

impl Operation for GetEntries {
    const REFUSALS: &'static [&'static [Refusal]] = &[refusals::SIGNED_IN, TILES, UNSIGNED, refusals::ANY];
}

#[OpenApi(tag = "Tag::Ledger")]
impl GetEntries {
    /// Get a bundle of entries
    ///
    /// The leaves under a tile of level 0, each after its length (two bytes, big-endian). Paths are as those of tiles. Takes
    /// the role `admin` or `operator`, since leaves have accounts and amounts.
    #[oai(path = "/api/v1/ledger/tile/entries/*bundle", method = "get", operation_id = "getEntries")]
    async fn call(
        &self,
        #[oai(scope = "needs::LEDGER_READ")] caller: Caller,
        uri: &Uri,
    ) -> Result<Immutable, Failure<Self>> {
        let path = uri.path().strip_prefix(PREFIX).unwrap_or_default();
        Ok(tile(&mut *self.0.connection().await?, &caller.0, path).await?)
    }
}
