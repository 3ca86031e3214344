//! When operations are rolled up.

use std::time::{Duration, Instant};

/// Operations that wait to be rolled up at most: questions read their rows.
const ROWS_MAX: u64 = 250_000;

/// Fewer than this are left to the next process when the log is closed.
const ROWS_AT_END_MIN: u64 = 10_000;

/// How often they are rolled up when they are fewer.
const INTERVAL: Duration = Duration::from_secs(60 * 60);

pub struct Rolling {
    /// Operations below are rolled up.
    rolled_seq: u64,
    /// When the rest is at the latest.
    pub due_at: Instant,
    /// The hour in which periods were made last.
    made_in: i64,
}

impl Rolling {
    pub fn from(rolled_seq: u64) -> Self {
        Self {
            rolled_seq,
            due_at: Instant::now() + INTERVAL,
            made_in: i64::MIN,
        }
    }

    /// Whether periods may have ended since they were made last; from now on they are made.
    pub fn enters(&mut self, hour: i64) -> bool {
        std::mem::replace(&mut self.made_in, hour) != hour
    }

    /// Whether operations are to be rolled up that are committed below this number.
    pub fn is_due(&self, committed_seq: u64) -> bool {
        Instant::now() >= self.due_at || committed_seq.saturating_sub(self.rolled_seq) >= ROWS_MAX
    }

    pub fn is_worth_it_at_end(&self, committed_seq: u64) -> bool {
        committed_seq.saturating_sub(self.rolled_seq) >= ROWS_AT_END_MIN
    }

    /// Operations below are rolled up now; where there are more, they follow at once.
    pub fn rolled(&mut self, rolled_seq: u64, more: bool) {
        self.rolled_seq = rolled_seq;
        self.due_at = Instant::now() + INTERVAL;
        if more {
            self.due_at = Instant::now();
        }
    }

    /// It did not work: it is tried again some time later.
    pub fn failed(&mut self) {
        self.due_at = Instant::now() + INTERVAL / 60;
        self.rolled_seq = u64::MAX;
    }
}
