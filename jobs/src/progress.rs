//! How far a job that goes through many things has come, as whoever follows it sees it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// So many of so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// What was gone through.
    pub done: u64,
    /// How many there were when the job began: a few more or less may come to be.
    pub total: u64,
}

impl Progress {
    /// None yet of so many.
    pub fn of(total: u64) -> Progress {
        Progress { done: 0, total }
    }

    /// So many more.
    pub fn add(&mut self, more: u64) {
        self.done += more;
    }

    /// With the share that is done, from 0 to 1, in hundredths.
    pub fn shown(&self) -> Value {
        let hundredths = self.done.min(self.total) * 100 / self.total.max(1);
        let hundredths = u32::try_from(hundredths).expect("a share is at most a whole");
        json!({ "done": self.done, "total": self.total, "progress": f64::from(hundredths) / 100.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_never_more_than_a_whole() {
        let shown = |done, total| Progress { done, total }.shown()["progress"].as_f64().unwrap();
        assert_eq!([shown(0, 0), shown(1, 3), shown(3, 3), shown(4, 3)], [0.0, 0.33, 1.0, 1.0]);
    }
}
