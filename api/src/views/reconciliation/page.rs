//! The report of a run as a page fit to print: no scripts, nothing to load, every text escaped.

use std::fmt::Write;

use domain::reconciliation::breaks::Break;
use domain::reconciliation::report::hex;
use domain::reconciliation::runs::Run;

use super::{BreakView, classes};
use crate::views::money::MoneyView;

/// The page's style, inside it.
const STYLE: &str = include_str!("page.css");

/// Writes the page.
pub(crate) fn render(run: &Run, breaks: &[Break]) -> String {
    let title = format!("Reconciliation {}", run.id);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
    );
    let verdict = match run.state.as_str() {
        "clean" => "Everything agrees",
        "breaks" => "Breaks are open",
        _ => "Not ended yet",
    };
    push(&mut page, format_args!("<p class=\"verdict {}\">{verdict}</p>\n", escape(&run.state)));
    page.push_str(&facts(run));
    page.push_str(&by_class(run));
    page.push_str(&listed(breaks));
    page.push_str("<footer><p>Prepared by</p><p>Approved by</p></footer>\n</body>\n</html>\n");
    page
}

fn push(page: &mut String, text: std::fmt::Arguments<'_>) {
    page.write_fmt(text).expect("a string takes any text");
}

/// What was checked, as of when.
fn facts(run: &Run) -> String {
    let time = |time: Option<chrono::DateTime<chrono::Utc>>| {
        time.map_or("–".to_owned(), |time| time.format("%Y-%m-%d %H:%M:%S UTC").to_string())
    };
    let leaves = run.size.map_or("–".to_owned(), |size| format!("{} new, {size} in all", size - run.from_size));
    let rows = [
        ("Kind", run.kind.clone()),
        ("Asked for by", run.asked_by.clone()),
        ("Began", time(run.started_at)),
        ("Ended", time(run.ended_at)),
        ("Leaves checked", leaves),
        ("Root", run.root.as_deref().map_or("–".to_owned(), hex)),
        ("Rows looked at", run.scanned.to_string()),
        ("Snapshots", run.snapshots.to_string()),
        ("Carried forward", run.carried.to_string()),
        ("Found no more", run.gone.to_string()),
        ("Repaired", run.healed.to_string()),
        ("Findings left out", run.left_out.to_string()),
        ("Digest (SHA-256)", run.digest.as_deref().map_or("–".to_owned(), hex)),
    ];
    let row = |(name, value): &(&str, String)| format!("<dt>{name}</dt><dd>{}</dd>\n", escape(value));
    format!("<dl>\n{}</dl>\n", rows.iter().map(row).collect::<String>())
}

fn amounts(amounts: &[MoneyView]) -> String {
    let amount = |money: &MoneyView| format!("{} {}", escape(&money.amount), escape(&money.currency));
    amounts.iter().map(amount).collect::<Vec<_>>().join("<br>")
}

fn by_class(run: &Run) -> String {
    let row = |class: super::ClassView| {
        format!(
            "<tr><td>{}</td><td>{}</td><td class=\"number\">{}</td><td class=\"number\">{}</td><td class=\"number\">{}</td></tr>\n",
            class.class.word(),
            escape(&class.title),
            class.found,
            class.new,
            amounts(&class.amounts)
        )
    };
    let rows: String = classes(&run.classes).into_iter().map(row).collect();
    format!(
        "<h2>Checks</h2>\n<table>\n<thead><tr><th>Class</th><th>What is compared</th><th>Found</th><th>New</th>\
         <th>Amount</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n"
    )
}

fn listed(breaks: &[Break]) -> String {
    if breaks.is_empty() {
        return "<h2>Breaks</h2>\n<p>None.</p>\n".to_owned();
    }
    let row = |found: &Break| {
        let view = BreakView::of(found, None);
        let amount = view.amount.as_ref().map(|amount| amounts(std::slice::from_ref(amount))).unwrap_or_default();
        format!(
            "<tr class=\"{severity}\"><td>{} {}</td><td>{severity}</td><td>{}</td><td>{}<br><code>{}</code></td>\
             <td class=\"number\">{amount}</td><td>{}</td></tr>\n",
            escape(&found.class),
            escape(&found.sub_class),
            escape(&found.state),
            escape(&found.detail),
            found.id,
            found.first_seen_at.format("%Y-%m-%d %H:%M"),
            severity = escape(&found.severity),
        )
    };
    let rows: String = breaks.iter().map(row).collect();
    format!(
        "<h2>Breaks ({})</h2>\n<table>\n<thead><tr><th>Class</th><th>Severity</th><th>State</th><th>What</th><th>Amount</th>\
         <th>Since (UTC)</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n",
        breaks.len()
    )
}

/// Text as HTML.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_never_markup() {
        assert_eq!(escape("<b>\"a\" & 'b'</b>"), "&lt;b&gt;&quot;a&quot; &amp; &#39;b&#39;&lt;/b&gt;");
    }
}
