//! What did not work lately, and when the writer draws a conclusion.

use crate::record::Pending;
use std::time::{Duration, Instant};

/// How often a store that is closed is tried again.
const RETRY_INTERVAL: Duration = Duration::from_millis(500);

/// Commits that fail one after the other before batches are tried one by one.
const SUSPICIOUS_AFTER: u32 = 3;

/// Times that a single batch fails, and for how long at least, before it may be the reason.
const CULPRIT_AFTER: u32 = 3;
const CULPRIT_FOR: Duration = Duration::from_secs(5);

/// What did not work lately.
#[derive(Default)]
pub struct Failures {
    /// Commits that failed, since the last one that did not.
    commits: u32,
    /// The first `seq` of the batch that was tried alone, how often it has failed so, and since when.
    alone: Option<(u64, u32, Instant)>,
    /// Why the store is closed, and when it is tried again.
    pub closed: Option<(String, Instant)>,
    pub looked_at: Option<Instant>,
}

impl Failures {
    /// All is well again.
    pub fn clear(&mut self) {
        (self.commits, self.alone, self.closed) = (0, None, None);
    }

    /// Whether batches are to be tried one by one.
    pub fn is_suspicious(&self) -> bool {
        self.commits >= SUSPICIOUS_AFTER
    }

    /// Notes a commit that failed; says whether its one batch may be the reason.
    pub fn note(&mut self, batches: &[Pending]) -> bool {
        self.commits += 1;
        let [(stamp, _)] = batches else {
            return false;
        };
        let (times, since) = match self.alone {
            Some((seq, times, since)) if seq == stamp.first_seq => (times + 1, since),
            _ => (1, Instant::now()),
        };
        self.alone = Some((stamp.first_seq, times, since));
        self.is_suspicious() && times >= CULPRIT_AFTER && since.elapsed() >= CULPRIT_FOR
    }

    pub fn retry_at(&self) -> Option<Instant> {
        self.closed.as_ref().map(|(_, retry_at)| *retry_at)
    }

    pub fn close(&mut self, reason: String) {
        self.closed = Some((reason, Instant::now() + RETRY_INTERVAL));
    }
}
