//! Joins the metrics of several processes into one page.
//!
//! A page must name each family once, with all its samples after it, so samples are regrouped by family. Each sample
//! of a child gets a `worker` label with the child's slot. A slot outlives the processes in it, so the number of
//! series stays what it is however often a child is restarted, and its counters go on (`totals`).

use std::collections::HashMap;
use std::fmt::Write;

/// The samples of one metric, with what describes it.
#[derive(Debug, Default)]
struct Family {
    description: Vec<String>,
    samples: Vec<String>,
}

/// A page that is put together from several.
#[derive(Debug, Default)]
pub struct Page {
    order: Vec<String>,
    families: HashMap<String, Family>,
}

impl Page {
    /// Adds the page of one process; with `worker` in each sample's labels, if there is one.
    pub fn add(&mut self, text: &str, worker: Option<&str>) {
        let mut current = String::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if let Some(name) = described(line) {
                name.clone_into(&mut current);
                let family = self.family(&current);
                if !family.description.iter().any(|known| keyword(known) == keyword(line)) {
                    // The help first, whichever process knew it.
                    let place = if keyword(line) == Some("HELP") { 0 } else { family.description.len() };
                    family.description.insert(place, line.to_owned());
                }
            } else if !line.starts_with('#') {
                let name = sample_name(line);
                // `x_bucket`, `x_sum` and `x_count` belong to the family `x` that was just described.
                let owner = if name.starts_with(current.as_str()) && !current.is_empty() {
                    current.clone()
                } else {
                    name.to_owned()
                };
                let sample = label(line, worker);
                self.family(&owner).samples.push(sample);
            }
        }
    }

    /// The page as text.
    pub fn render(&self) -> String {
        let mut text = String::new();
        for family in self.order.iter().filter_map(|name| self.families.get(name)) {
            for line in family.description.iter().chain(&family.samples) {
                writeln!(text, "{line}").expect("writing to a string works");
            }
            text.push('\n');
        }
        text
    }

    fn family(&mut self, name: &str) -> &mut Family {
        if !self.families.contains_key(name) {
            self.order.push(name.to_owned());
        }
        self.families.entry(name.to_owned()).or_default()
    }
}

/// The family that a `# HELP` or `# TYPE` line describes.
pub(super) fn described(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("# HELP ").or_else(|| line.strip_prefix("# TYPE "))?;
    rest.split_whitespace().next()
}

/// `HELP` or `TYPE`.
fn keyword(line: &str) -> Option<&str> {
    line.split_whitespace().nth(1)
}

/// The series and the value of a sample.
pub(super) fn series(line: &str) -> Option<(&str, f64)> {
    let (series, value) = line.rsplit_once(' ')?;
    Some((series, value.parse().ok()?))
}

/// The name before the labels or the value.
fn sample_name(line: &str) -> &str {
    line.split(['{', ' ']).next().unwrap_or(line)
}

/// The sample with one more label.
fn label(line: &str, worker: Option<&str>) -> String {
    let Some(worker) = worker else { return line.to_owned() };
    let name = sample_name(line);
    match line[name.len()..].strip_prefix('{') {
        Some(rest) if rest.starts_with('}') => format!("{name}{{worker=\"{worker}\"{rest}"),
        Some(rest) => format!("{name}{{worker=\"{worker}\",{rest}"),
        None => format!("{name}{{worker=\"{worker}\"}}{}", &line[name.len()..]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "# HELP jobs_total Jobs.\n# TYPE jobs_total counter\njobs_total{kind=\"a b\"} 3\n\n\
        # TYPE wait_seconds histogram\nwait_seconds_bucket{le=\"0.1\"} 1\nwait_seconds_sum 0.5\nwait_seconds_count 1\n";

    #[test]
    fn families_are_regrouped_and_samples_labelled_by_slot() {
        let mut page = Page::default();
        page.add(ONE, Some("1"));
        page.add(ONE, Some("2"));
        page.add("# TYPE restarts_total counter\nrestarts_total 7\n", None);
        let expected = "# HELP jobs_total Jobs.\n# TYPE jobs_total counter\n\
            jobs_total{worker=\"1\",kind=\"a b\"} 3\njobs_total{worker=\"2\",kind=\"a b\"} 3\n\n\
            # TYPE wait_seconds histogram\n\
            wait_seconds_bucket{worker=\"1\",le=\"0.1\"} 1\nwait_seconds_sum{worker=\"1\"} 0.5\n\
            wait_seconds_count{worker=\"1\"} 1\n\
            wait_seconds_bucket{worker=\"2\",le=\"0.1\"} 1\nwait_seconds_sum{worker=\"2\"} 0.5\n\
            wait_seconds_count{worker=\"2\"} 1\n\n\
            # TYPE restarts_total counter\nrestarts_total 7\n\n";
        assert_eq!(page.render(), expected);
    }

    #[test]
    fn the_help_comes_first_whoever_has_it() {
        let mut page = Page::default();
        page.add("# TYPE a gauge\na 1\n", None);
        page.add("# HELP a One.\n# TYPE a gauge\na 2\n", Some("1"));
        assert_eq!(page.render(), "# HELP a One.\n# TYPE a gauge\na 1\na{worker=\"1\"} 2\n\n");
    }

    #[test]
    fn a_help_text_that_differs_is_taken_once() {
        let mut page = Page::default();
        page.add("# HELP a One.\n# TYPE a gauge\na 1\n", Some("1"));
        page.add("# HELP a Other.\n# TYPE a gauge\na 2\n", Some("2"));
        assert_eq!(page.render(), "# HELP a One.\n# TYPE a gauge\na{worker=\"1\"} 1\na{worker=\"2\"} 2\n\n");
    }
}
