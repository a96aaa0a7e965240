//! `GET /api/v1/ledger/tile/{tile}`

use poem::http::Uri;
use poem_openapi::OpenApi;

use super::signed::{Immutable, TILES, UNSIGNED, tile};
use crate::auth::{Caller, needs};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;

pub(crate) struct GetTile(pub(crate) State);

impl Operation for GetTile {
    const REFUSALS: &'static [&'static [Refusal]] = &[refusals::SIGNED_IN, TILES, UNSIGNED, refusals::ANY];
}

/// What stands before the path of a tile.
pub(super) const PREFIX: &str = "/api/v1/ledger/tile/";

#[OpenApi(tag = "Tag::Ledger")]
impl GetTile {
    /// Get a tile of hashes
    ///
    /// A C2SP tlog-tiles tile: the path is `<L>/<N>`, with the index in groups of three digits (`0/x001/067` is tile 1,067 of
    /// level 0), and `.p/<W>` behind it for one with only its first W hashes. A hash has 32 bytes, a full tile 256 hashes.
    #[oai(path = "/api/v1/ledger/tile/*tile", method = "get", operation_id = "getTile")]
    async fn call(
        &self,
        #[oai(scope = "needs::LEDGER_READ")] caller: Caller,
        uri: &Uri,
    ) -> Result<Immutable, Failure<Self>> {
        let path = uri.path().strip_prefix(PREFIX).unwrap_or_default();
        Ok(tile(&mut *self.0.connection().await?, &caller.0, path).await?)
    }
}
