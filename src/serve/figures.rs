//! What the server counts.

use std::sync::atomic::{AtomicU64, Ordering};

/// A count that many threads may change.
#[derive(Default)]
pub struct Count(AtomicU64);

impl Count {
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn inc(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn dec(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Figures of all servers that one log has had; those that are no state count on.
#[derive(Default)]
pub struct Figures {
    pub requests: Count,
    /// Requests that were answered 4xx, or that were no HTTP.
    pub rejected: Count,
    /// Requests that were answered 503 because a limit was reached.
    pub busy: Count,
    /// Questions that failed.
    pub failed: Count,
    pub connections: Count,
    /// Connections that were refused because there were too many.
    pub refused: Count,
    /// Connections that were closed because a time had run out.
    pub timed_out: Count,
    pub reads: Count,
}
