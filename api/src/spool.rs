//! Files on their way in: in the database piece by piece as they arrive, so that a slow client holds neither memory nor a connection.

use domain::imports::upload::{self, Upload};

use crate::body;
use crate::problem::Problem;
use crate::state::State;

/// Writes a file as it arrives, each piece in a commit of its own, once `look` has seen it and has nothing against it. Its length.
pub(crate) async fn save(
    state: &State,
    upload: Upload,
    file: &mut body::upload::Upload,
    mut look: impl FnMut(&[u8]) -> Result<(), Problem> + Send,
) -> Result<i64, Problem> {
    let mut bytes = 0;
    while let Some(piece) = file.piece().await? {
        look(&piece)?;
        let mut tx = state.pool.begin().await?;
        upload::add(&mut tx, upload, bytes, &piece).await?;
        tx.commit().await?;
        bytes += i64::try_from(piece.len()).expect("a piece is small");
    }
    Ok(bytes)
}

/// Removes what arrived of a file that becomes nothing, or is read; what cannot be removed now, the sweep does.
pub(crate) async fn discard(state: &State, upload: Upload) {
    let discarded = async { Ok::<_, Problem>(upload::discard(&mut *state.connection().await?, upload).await?) };
    if let Err(problem) = discarded.await {
        tracing::warn!(?problem, "an upload is left for the sweep");
    }
}
