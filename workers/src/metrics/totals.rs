//! What the processes of each slot have counted, those that have ended included.
//!
//! A process counts from 0. Its slot does not: what the processes before it had counted when they were last asked is
//! added, so that a counter of a slot only rises. A process whose successor is at work already is asked on until it is gone.

use std::collections::HashMap;
use std::sync::Arc;

use super::merge::{described, series};

/// The values of a process's counters, by series; of a histogram, those of its buckets, sum and count.
type Counted = HashMap<String, f64>;

/// The slots, by name; `L` is the line to a process, by which one is told from the next.
#[derive(Debug)]
pub(super) struct Totals<L> {
    slots: HashMap<String, Slot<L>>,
}

#[derive(Debug)]
struct Slot<L> {
    /// Those that were asked, with what they answered last; the newest last.
    asked: Vec<(Arc<L>, Counted)>,
    /// What those had counted that are gone.
    gone: Counted,
}

impl<L> Default for Totals<L> {
    fn default() -> Totals<L> {
        Totals { slots: HashMap::new() }
    }
}

impl<L> Totals<L> {
    /// The lines to processes that have been asked and are not among `current`: they drain, or have gone.
    pub(super) fn former(&self, current: &[(String, Arc<L>)]) -> Vec<(String, Arc<L>)> {
        let is_current = |line: &Arc<L>| current.iter().any(|(_, other)| Arc::ptr_eq(line, other));
        let of_slot = |(name, slot): (&String, &Slot<L>)| {
            let asked = slot.asked.iter().filter(|(line, _)| !is_current(line));
            asked.map(|(line, _)| (name.clone(), Arc::clone(line))).collect::<Vec<_>>()
        };
        self.slots.iter().flat_map(of_slot).collect()
    }

    /// Notes what a process answered.
    pub(super) fn note(&mut self, slot: &str, line: &Arc<L>, page: &str) {
        let slot =
            self.slots.entry(slot.to_owned()).or_insert_with(|| Slot { asked: Vec::new(), gone: Counted::new() });
        let counted = counted(page);
        match slot.asked.iter_mut().find(|(known, _)| Arc::ptr_eq(known, line)) {
            Some((_, before)) => *before = counted,
            None => slot.asked.push((Arc::clone(line), counted)),
        }
    }

    /// Notes that a process is gone: its slot has counted what it had.
    pub(super) fn ended(&mut self, slot: &str, line: &Arc<L>) {
        let Some(slot) = self.slots.get_mut(slot) else { return };
        let Some(index) = slot.asked.iter().position(|(known, _)| Arc::ptr_eq(known, line)) else { return };
        let (_, counted) = slot.asked.remove(index);
        for (series, value) in counted {
            *slot.gone.entry(series).or_default() += value;
        }
    }

    /// The page of a process with the counters of its slot: what the others of the slot counted is added.
    pub(super) fn raise(&self, slot: &str, line: &Arc<L>, page: &str) -> String {
        let Some(slot) = self.slots.get(slot) else { return page.to_owned() };
        let others: Vec<&Counted> =
            slot.asked.iter().filter(|(known, _)| !Arc::ptr_eq(known, line)).map(|(_, counted)| counted).collect();
        let before = |series: &str| {
            let of = |counted: &&Counted| counted.get(series).copied().unwrap_or(0.0);
            slot.gone.get(series).copied().unwrap_or(0.0) + others.iter().map(of).sum::<f64>()
        };
        if slot.gone.is_empty() && others.is_empty() {
            return page.to_owned();
        }
        let mut raised = String::with_capacity(page.len());
        each_counter(page, |line, counter| {
            match counter {
                Some((series, value)) => raised.push_str(&format!("{series} {}", value + before(series))),
                None => raised.push_str(line),
            }
            raised.push('\n');
        });
        raised
    }
}

fn counted(page: &str) -> Counted {
    let mut counted = Counted::new();
    each_counter(page, |_, counter| {
        if let Some((series, value)) = counter {
            counted.insert(series.to_owned(), value);
        }
    });
    counted
}

/// Goes through the lines of a page; with the series and value of those that are of a counter or a histogram.
fn each_counter<'a>(page: &'a str, mut each: impl FnMut(&'a str, Option<(&'a str, f64)>)) {
    let mut rises = false;
    for line in page.lines() {
        if line.starts_with('#') {
            if line.starts_with("# TYPE ") && described(line).is_some() {
                rises = line.ends_with(" counter") || line.ends_with(" histogram");
            }
            each(line, None);
        } else {
            each(line, series(line).filter(|_| rises));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(jobs: u32, in_hand: u32) -> String {
        format!(
            "# HELP jobs_total Jobs.\n# TYPE jobs_total counter\njobs_total{{kind=\"a b\"}} {jobs}\n\n\
             # TYPE in_hand gauge\nin_hand {in_hand}\n\n\
             # TYPE run_seconds histogram\nrun_seconds_bucket{{le=\"0.1\"}} {jobs}\nrun_seconds_sum 0.5\nrun_seconds_count {jobs}\n"
        )
    }

    #[test]
    fn a_slot_counts_on_where_its_processes_before_were() {
        let mut totals = Totals::default();
        let [first, second, third] = [1, 2, 3].map(Arc::new);
        totals.note("1", &first, &page(3, 9));
        assert_eq!(totals.raise("1", &first, &page(3, 9)), page(3, 9));
        // The successor works while the first drains: what that counts meanwhile is the slot's as well.
        totals.note("1", &second, &page(0, 1));
        assert_eq!(totals.former(&[("1".to_owned(), Arc::clone(&second))]), [("1".to_owned(), Arc::clone(&first))]);
        totals.note("1", &first, &page(5, 0));
        let raised = totals.raise("1", &second, &page(2, 1));
        assert!(raised.contains("jobs_total{kind=\"a b\"} 7\n") && raised.contains("in_hand 1\n"), "{raised}");
        assert!(raised.contains("run_seconds_bucket{le=\"0.1\"} 7\n") && raised.contains("run_seconds_sum 1\n"));
        totals.ended("1", &first);
        totals.note("1", &second, &page(2, 1));
        assert_eq!(totals.former(&[("1".to_owned(), Arc::clone(&second))]), []);
        assert!(totals.raise("1", &second, &page(2, 1)).contains("run_seconds_count 7\n"));
        totals.ended("1", &second);
        assert!(totals.raise("1", &third, &page(1, 1)).contains("jobs_total{kind=\"a b\"} 8\n"));
        assert!(
            totals.raise("2", &third, &page(1, 1)).contains("jobs_total{kind=\"a b\"} 1\n"),
            "another slot is another"
        );
    }
}
