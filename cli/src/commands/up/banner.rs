//! What `up` prints once everything runs.

use std::io::Write;

use super::UpArgs;
use crate::postgres::private::Private;

/// This program as it was called, so that a line can be copied.
fn program() -> String {
    std::env::args().next().unwrap_or_else(|| "bitnexus".to_owned())
}

/// Prints where everything is. Nobody may be reading, which is no reason to fail.
pub(super) fn print(args: &UpArgs, private: Option<&Private>, admin_key: Option<&str>) {
    let (api, metrics) = (format!("{}://{}", args.tls.scheme(), args.api_listen), args.metrics_listen);
    let database = match private {
        Some(private) => format!(
            "PostgreSQL {}, private, in {}; look inside: {} db psql",
            private.installation.version,
            private.home.display(),
            program(),
        ),
        None => "the one of DATABASE_URL".to_owned(),
    };
    let mut lines = vec![
        "BitNexus is up.".to_owned(),
        format!("  API       {api}/api/v1"),
        format!("  docs      {api}/docs"),
        format!("  metrics   {api}/metrics (API)  http://{metrics}/metrics (workers)"),
        format!("  database  {database}"),
    ];
    if let Some(key) = admin_key {
        lines.push(format!("  admin key {key}"));
        lines.push(format!("            shown this once; another: {} admin create-key", program()));
    }
    lines.push("Ctrl-C stops everything in order.".to_owned());
    let _ = writeln!(std::io::stdout(), "{}", lines.join("\n"));
}
