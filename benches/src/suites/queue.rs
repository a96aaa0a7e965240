//! Not yet.

use anyhow::Result;

use crate::report::Report;

pub(crate) async fn run(_quick: bool, _report: &mut Report) -> Result<()> {
    Ok(())
}
