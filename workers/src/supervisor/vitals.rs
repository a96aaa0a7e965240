//! Looks after one running child: whether it is at work, whether it still answers, and how much memory it has.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::lifeline::Line;
use super::memory::Resident;
use super::spec::Care;

/// How often a child is looked at.
const GAP: Duration = Duration::from_secs(1);
/// The same while it is starting.
const GAP_STARTING: Duration = Duration::from_millis(50);

/// Something to act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// It is at work, for the first time.
    Ready,
    /// It has not answered for too long.
    Silent,
    /// It has more memory than it may: so many bytes.
    TooLarge(u64),
}

/// What is known of one child.
#[derive(Debug)]
pub(super) struct Vitals {
    pid: u32,
    line: Option<Arc<Line>>,
    care: Option<Care>,
    pub(super) is_ready: bool,
    has_answered: bool,
    silent: Duration,
    pub(super) rss_max: Option<u64>,
    /// Before this, its memory is no reason to replace it.
    pub(super) memory_from: Instant,
}

impl Vitals {
    pub(super) fn new(pid: u32, line: Option<Arc<Line>>, care: Option<Care>) -> Vitals {
        let memory_from = Instant::now();
        Vitals {
            pid,
            line,
            care,
            is_ready: false,
            has_answered: false,
            silent: Duration::ZERO,
            rss_max: None,
            memory_from,
        }
    }

    /// The next sign; may be dropped and asked again.
    pub(super) async fn next(&mut self) -> Sign {
        let (Some(care), Some(line)) = (self.care.clone(), self.line.clone()) else { std::future::pending().await };
        let gap = care.heartbeat_timeout.map_or(GAP, |timeout| GAP.min(timeout / 4));
        let mut ticks = interval(gap);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            if self.is_ready {
                ticks.tick().await;
            } else {
                sleep_until(Instant::now() + gap.min(GAP_STARTING)).await;
            }
            if let Some(sign) = self.look(&care, &line, gap).await {
                return sign;
            }
        }
    }

    async fn look(&mut self, care: &Care, line: &Line, gap: Duration) -> Option<Sign> {
        let asked = Instant::now();
        let beat = line.beat(gap).await;
        match beat {
            Ok(is_ready) => {
                (self.silent, self.has_answered) = (Duration::ZERO, true);
                if is_ready && !self.is_ready {
                    self.is_ready = true;
                    return Some(Sign::Ready);
                }
            }
            // Counted by tick and not by the clock: when this process was stopped itself, its children were not silent.
            Err(_) => self.silent += asked.elapsed().clamp(GAP_STARTING.min(gap), gap),
        }
        // Until it has answered once it is loading.
        let patience = care
            .heartbeat_timeout
            .map(|timeout| if self.has_answered { timeout } else { timeout.max(care.ready_timeout) });
        if patience.is_some_and(|patience| self.silent >= patience) {
            return Some(Sign::Silent);
        }
        let resident = Resident::of(self.pid)?;
        self.rss_max = self.rss_max.max(Some(resident.max));
        let is_judged = self.is_ready && Instant::now() >= self.memory_from;
        let is_large = care.rss_max.is_some_and(|max| resident.now > max);
        (is_judged && is_large).then_some(Sign::TooLarge(resident.now))
    }
}
