//! How the queue's way to the log is.

use super::queue::Queue;
use std::time::Duration;

/// What `oplog_health()` shows of the queue beyond its figures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueHealth {
    /// The writer is gone: nothing is accepted any more.
    pub stopped: bool,
    /// Why the last commit failed, or the writer stopped; empty where all is well.
    pub last_error: String,
    /// How long the oldest batch in memory has been waiting.
    pub waiting: Option<Duration>,
    pub has_journal: bool,
}

impl Queue {
    pub fn health(&self) -> QueueHealth {
        let guard = self.lock();
        let state = &guard.0;
        QueueHealth {
            stopped: state.stopped,
            last_error: state.last_error.clone(),
            waiting: state.oldest_at.map(|oldest| oldest.elapsed()),
            has_journal: state.journal.is_some(),
        }
    }
}
