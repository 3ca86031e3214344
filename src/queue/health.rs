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
    /// Why the journal has refused what was recorded last, not long ago; empty where it takes records.
    pub refused: String,
}

/// How long a refusal is told. Nothing may be recorded since that would show that the journal takes records again.
const REFUSAL_TOLD: Duration = Duration::from_secs(60);

impl Queue {
    pub fn health(&self) -> QueueHealth {
        let guard = self.lock();
        let state = &guard.0;
        QueueHealth {
            stopped: state.stopped,
            last_error: state.last_error.clone(),
            waiting: state.oldest_at.map(|oldest| oldest.elapsed()),
            has_journal: state.journal.is_some(),
            refused: match &state.refused {
                Some((at, error)) if at.elapsed() < REFUSAL_TOLD => error.clone(),
                _ => String::new(),
            },
        }
    }
}
