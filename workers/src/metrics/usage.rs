//! What each slot's process takes of its machine, from `/proc`: also of one that is stuck and answers nothing.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use queue::metrics::process::{self, Usage};

/// The processor time of each slot.
#[derive(Debug, Default)]
pub(super) struct Slots {
    slots: BTreeMap<String, Slot>,
}

#[derive(Debug, Default)]
struct Slot {
    pid: u32,
    now: Option<Usage>,
    /// Of the processes before, in seconds.
    gone_s: f64,
}

impl Slots {
    /// Looks at the processes that run now, one to a slot; what others of a slot took is kept.
    pub(super) fn look(&mut self, running: &[(String, u32)]) {
        self.look_by(running, process::usage);
    }

    fn look_by(&mut self, running: &[(String, u32)], usage: impl Fn(u32) -> Option<Usage>) {
        for (name, slot) in &mut self.slots {
            if !running.iter().any(|(other, pid)| other == name && *pid == slot.pid) {
                slot.gone_s += slot.now.take().map_or(0.0, |usage| usage.cpu_s);
                slot.pid = 0;
            }
        }
        for (name, pid) in running {
            let slot = self.slots.entry(name.clone()).or_default();
            slot.pid = *pid;
            slot.now = usage(*pid).or(slot.now);
        }
    }

    /// Their metrics, in Prometheus' text format.
    pub(super) fn page(&self) -> String {
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
        let cpu = |slot: &Slot| slot.gone_s + slot.now.map_or(0.0, |usage| usage.cpu_s);
        let memory = |slot: &Slot| slot.now.map_or(0.0, |usage| usage.memory_bytes as f64);
        let uptime = |slot: &Slot| slot.now.map_or(0.0, |usage| (now_s - usage.started_at_s).max(0.0));
        let mut page = String::new();
        let mut add = |name: &str, kind: &str, help: &str, value: &dyn Fn(&Slot) -> f64| {
            let samples = self.slots.iter().fold(String::new(), |mut samples, (worker, slot)| {
                writeln!(samples, "{name}{{worker=\"{worker}\"}} {}", value(slot)).expect("writing to a string works");
                samples
            });
            process::sample(&mut page, name, kind, help, &samples);
        };
        let help = "Processor time of the slot's processes, dead ones included.";
        add("worker_cpu_seconds_total", "counter", help, &cpu);
        add("worker_memory_bytes", "gauge", "Memory that the process in the slot uses.", &memory);
        let help = "For how long the process in the slot has run; 0 while there is none.";
        add("worker_uptime_seconds", "gauge", help, &uptime);
        page
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_time_of_a_slot_only_rises() {
        let usage = |cpu_s: f64| Usage { cpu_s, memory_bytes: 4096, started_at_s: 0.0, threads: 1 };
        let mut slots = Slots::default();
        let one = |pid: u32| [("1".to_owned(), pid)];
        slots.look_by(&one(7), |_| Some(usage(1.5)));
        assert!(slots.page().contains("worker_cpu_seconds_total{worker=\"1\"} 1.5\n"), "{}", slots.page());
        // It is gone, and nobody has looked in between.
        slots.look_by(&one(8), |_| Some(usage(0.25)));
        assert!(slots.page().contains("worker_cpu_seconds_total{worker=\"1\"} 1.75\n"), "{}", slots.page());
        slots.look_by(&[], |_| None);
        let page = slots.page();
        assert!(page.contains("worker_cpu_seconds_total{worker=\"1\"} 1.75\n"), "{page}");
        assert!(page.contains("worker_memory_bytes{worker=\"1\"} 0\n"), "{page}");
        assert!(page.contains("worker_uptime_seconds{worker=\"1\"} 0\n"), "{page}");
    }
}
