//! What `up` prints once everything runs.

use std::io::Write;

use super::UpArgs;
use crate::postgres::private::Private;

/// Prints where everything is. Nobody may be reading, which is no reason to fail.
pub(super) fn print(args: &UpArgs, private: Option<&Private>, admin_key: Option<&str>) {
    let (api, metrics) = (args.api_listen, args.metrics_listen);
    let database = match private {
        Some(private) => format!(
            "PostgreSQL {}, private, in {}; look inside with: bitnexus db psql",
            private.installation.version,
            private.home.display()
        ),
        None => "the one of DATABASE_URL".to_owned(),
    };
    let mut lines = vec![
        "BitNexus is up.".to_owned(),
        format!("  API       http://{api}/api/v1"),
        format!("  docs      http://{api}/docs"),
        format!("  metrics   http://{api}/metrics (API)  http://{metrics}/metrics (workers)"),
        format!("  database  {database}"),
    ];
    if let Some(key) = admin_key {
        lines.push(format!("  admin key {key}"));
        lines.push("            shown this once; another one: bitnexus admin create-key".to_owned());
    }
    lines.push("Ctrl-C stops everything in order.".to_owned());
    let _ = writeln!(std::io::stdout(), "{}", lines.join("\n"));
}
