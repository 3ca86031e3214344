//! What callers wait for: room in the queue, and the disk.

use super::{Guard, Queue};
use crate::journal::Journal;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a caller waits for room before the record is refused: longer than any commit that succeeds.
const FULL_WAIT: Duration = Duration::from_secs(10);

/// Operations that are accepted, and under the durability `os` may not be on disk yet.
#[must_use]
pub struct Unsynced(pub(super) Option<(Arc<Journal>, u64)>);

impl Unsynced {
    /// Waits for the disk. Callers that wait at the same time share a sync.
    pub fn wait(self) -> Result<(), String> {
        match self.0 {
            Some((journal, position)) => {
                journal.sync_to(position).map_err(|error| error.to_string())
            }
            None => Ok(()),
        }
    }
}

/// A caller's wait for room, which ends at some time.
#[derive(Default)]
pub struct Waiting {
    deadline: Option<Instant>,
}

impl Waiting {
    pub fn wait<'a>(
        &mut self,
        queue: &'a Queue,
        mut guard: Guard<'a>,
        reason: &str,
    ) -> Result<Guard<'a>, String> {
        let deadline = *self.deadline.get_or_insert_with(|| {
            guard.0.full_waits += 1;
            Instant::now() + FULL_WAIT
        });
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let error = &guard.0.last_error;
            return Err(if error.is_empty() {
                reason.to_owned()
            } else {
                format!("{reason}; its last error: {error}")
            });
        }
        guard.0.nudged = true;
        queue.work.notify_one();
        Ok(queue.wait_for_progress(guard, left))
    }
}
