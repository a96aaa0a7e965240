//! What an expression of PromQL reads: its selectors, without a full grammar.

use std::collections::BTreeSet;

/// Words that stand where a metric could.
const WORDS: [&str; 12] =
    ["and", "bool", "by", "group_left", "group_right", "ignoring", "inf", "nan", "offset", "on", "or", "unless"];

/// Words after which names of labels stand in brackets.
const GROUPINGS: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];

/// Everything that an expression names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    /// Each selector as written, its range left out.
    pub(super) selectors: BTreeSet<String>,
    /// Those of them that are read as they stand, without a range.
    pub(super) instant: BTreeSet<String>,
    pub(super) metrics: BTreeSet<String>,
    pub(super) labels: BTreeSet<String>,
}

/// Reads an expression from left to right.
pub(super) fn names(expression: &str) -> Names {
    let (mut names, mut rest) = (Names::default(), expression);
    while let Some(first) = rest.chars().next() {
        if first == '"' || first == '[' || first.is_ascii_digit() {
            rest = skip(rest, first);
        } else if first.is_ascii_alphabetic() || first == '_' || first == ':' {
            rest = word(rest, &mut names);
        } else {
            rest = &rest[first.len_utf8()..];
        }
    }
    names
}

/// What follows a string, a range or a number (with its unit).
fn skip(text: &str, first: char) -> &str {
    let inside = &text[1..];
    match first {
        '"' => after(inside, '"'),
        '[' => after(inside, ']'),
        _ => text.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '.'),
    }
}

fn after(text: &str, end: char) -> &str {
    text.split_once(end).map_or("", |(_, rest)| rest)
}

/// A name: of a function, a grouping with its labels, a word of the language, or a metric with its matchers.
fn word<'a>(text: &'a str, names: &mut Names) -> &'a str {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':')).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let next = rest.trim_start();
    if GROUPINGS.contains(&name) && next.starts_with('(') {
        let (inside, rest) = next[1..].split_once(')').unwrap_or_default();
        names.labels.extend(inside.split(',').map(|label| label.trim().to_owned()).filter(|label| !label.is_empty()));
        return rest;
    }
    let is_aggregated = ["by", "without"].iter().any(|word| next.starts_with(word));
    if next.starts_with('(') || is_aggregated || WORDS.contains(&name.to_lowercase().as_str()) {
        return rest;
    }
    names.metrics.insert(name.to_owned());
    let (inside, rest) = match rest.strip_prefix('{') {
        Some(inside) => inside.split_once('}').unwrap_or_default(),
        None => ("", rest),
    };
    let selector = if inside.is_empty() { name.to_owned() } else { format!("{name}{{{inside}}}") };
    if !rest.starts_with('[') {
        names.instant.insert(selector.clone());
    }
    names.selectors.insert(selector);
    for (at, _) in inside.match_indices(['=', '!']) {
        let label = inside[..at].rsplit([',', '{']).next().unwrap_or_default().trim();
        if !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            names.labels.insert(label.to_owned());
        }
    }
    rest
}

#[test]
fn the_names_in_an_expression_are_found() {
    let found = names(
        "sum by (kind, le) (rate(a_bucket{queue=~\"$queue\", state!=\"x y\"}[5m])) / on (kind) group_left b:c * 1e3 > bool 0.5 or up",
    );
    let set = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(found.metrics, set(&["a_bucket", "b:c", "up"]));
    assert_eq!(found.labels, set(&["kind", "le", "queue", "state"]));
    assert_eq!(found.selectors, set(&["a_bucket{queue=~\"$queue\", state!=\"x y\"}", "b:c", "up"]));
    assert_eq!(found.instant, set(&["b:c", "up"]));
}
