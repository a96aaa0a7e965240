//! Shares the runs of a process between its queues, by weight.
//!
//! Stride scheduling (Waldspurger and Weihl, 1995): each queue has a pass, which a run of it moves on by one over its
//! weight; the queue with the smallest pass goes next. A queue that had nothing to run does not save up what it missed.

use std::sync::{Mutex, MutexGuard};

use futures::task::AtomicWaker;

/// Decides which queue may begin the next run.
#[derive(Debug)]
pub(crate) struct Share {
    runs_max: usize,
    inner: Mutex<Inner>,
    wakers: Vec<AtomicWaker>,
}

#[derive(Debug)]
struct Inner {
    runs: usize,
    /// The pass of the queue that began last, before it moved on.
    pass: f64,
    queues: Vec<Queue>,
}

#[derive(Debug)]
struct Queue {
    stride: f64,
    pass: f64,
    /// It has something to run and was told to wait.
    is_waiting: bool,
}

impl Share {
    /// At most so many runs at once, of queues of these weights.
    pub(crate) fn new(runs_max: usize, weights: &[u32]) -> Share {
        let queue = |weight: &u32| Queue { stride: 1.0 / f64::from((*weight).max(1)), pass: 0.0, is_waiting: false };
        let inner = Inner { runs: 0, pass: 0.0, queues: weights.iter().map(queue).collect() };
        Share { runs_max, inner: Mutex::new(inner), wakers: weights.iter().map(|_| AtomicWaker::new()).collect() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("nothing panics while it is locked")
    }

    /// Who is woken when the queue may begin a run.
    pub(crate) fn register(&self, queue: usize, waker: &std::task::Waker) {
        self.wakers[queue].register(waker);
    }

    /// Whether the queue, which has something to run, may begin it now. If so, [`Share::ended`] follows.
    pub(crate) fn may_begin(&self, queue: usize) -> bool {
        let mut inner = self.lock();
        // One that comes back begins where the others have got to.
        if !inner.queues[queue].is_waiting {
            inner.queues[queue].pass = inner.queues[queue].pass.max(inner.pass);
            inner.queues[queue].is_waiting = true;
        }
        let first = inner.least_waiting().expect("at least this one waits");
        if inner.runs >= self.runs_max {
            return false;
        }
        if first != queue && inner.queues[first].pass < inner.queues[queue].pass {
            drop(inner);
            self.wakers[first].wake();
            return false;
        }
        inner.runs += 1;
        inner.pass = inner.queues[queue].pass;
        inner.queues[queue].is_waiting = false;
        inner.queues[queue].pass += inner.queues[queue].stride;
        true
    }

    /// Whether a queue other than this one waits to begin a run.
    pub(crate) fn others_wait(&self, queue: usize) -> bool {
        self.lock().queues.iter().enumerate().any(|(other, of)| other != queue && of.is_waiting)
    }

    /// The queue has nothing to run after all.
    pub(crate) fn has_nothing(&self, queue: usize) {
        let mut inner = self.lock();
        if std::mem::take(&mut inner.queues[queue].is_waiting) {
            self.wake_next(inner);
        }
    }

    /// A run has ended.
    pub(crate) fn ended(&self) {
        let mut inner = self.lock();
        inner.runs -= 1;
        self.wake_next(inner);
    }

    fn wake_next(&self, inner: MutexGuard<'_, Inner>) {
        let next = inner.least_waiting().filter(|_| inner.runs < self.runs_max);
        drop(inner);
        if let Some(next) = next {
            self.wakers[next].wake();
        }
    }
}

impl Inner {
    fn least_waiting(&self) -> Option<usize> {
        let waiting = (0..self.queues.len()).filter(|queue| self.queues[*queue].is_waiting);
        waiting.min_by(|one, other| self.queues[*one].pass.total_cmp(&self.queues[*other].pass))
    }
}

#[cfg(test)]
mod tests {
    use super::Share;

    /// Runs begun by each queue while all of those named always have something to run.
    fn begun(share: &Share, busy: &[usize], rounds: usize, of: usize) -> Vec<usize> {
        let mut begun = vec![0; of];
        for _ in 0..rounds {
            // Everybody asks; who may, begins; one run ends.
            while let Some(queue) = busy.iter().find(|queue| share.may_begin(**queue)) {
                begun[*queue] += 1;
            }
            share.ended();
        }
        begun
    }

    #[test]
    fn queues_share_by_weight() {
        let share = Share::new(4, &[3, 1, 1]);
        let begun = begun(&share, &[2, 1, 0], 1_000, 3);
        assert!(begun[0].abs_diff(600) < 10 && begun[1].abs_diff(200) < 10, "{begun:?}");
    }

    #[test]
    fn a_queue_that_was_idle_saves_nothing_up() {
        let share = Share::new(1, &[1, 1]);
        begun(&share, &[0], 1_000, 2);
        let both = begun(&share, &[0, 1], 100, 2);
        assert!(both[0].abs_diff(both[1]) <= 2, "{both:?}");
    }

    #[test]
    fn who_was_told_to_wait_is_waited_for() {
        let share = Share::new(1, &[1, 1]);
        assert!(share.may_begin(0) && !share.others_wait(0));
        assert!(!share.may_begin(1) && share.others_wait(0) && !share.others_wait(1));
        share.ended();
        assert!(share.may_begin(1) && !share.others_wait(0));
    }

    #[test]
    fn who_has_nothing_keeps_nobody_out() {
        let share = Share::new(1, &[1, 1]);
        assert!(share.may_begin(0));
        assert!(!share.may_begin(1));
        share.has_nothing(1);
        share.ended();
        assert!(share.may_begin(0));
    }
}
