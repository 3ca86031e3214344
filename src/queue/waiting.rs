//! What callers wait for: room in the queue, and the disk.

use super::{Guard, Queue};
use crate::caller::{self, INTERRUPTED, LOOK_INTERVAL};
use crate::journal::Journal;
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a caller waits for room before the record is refused: longer than any commit that succeeds.
const FULL_WAIT: Duration = Duration::from_secs(10);
/// The same for a caller that would rather do without the record.
const LENIENT_WAIT: Duration = Duration::from_secs(3);
/// How long a caller waits when another one has just waited in vain; one that would do without does not wait at all.
const STUCK_WAIT: Duration = Duration::from_secs(1);

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
        if caller::has_given_up() {
            return Err(INTERRUPTED.into());
        }
        let deadline = *self.deadline.get_or_insert_with(|| {
            guard.0.full_waits += 1;
            let lenient = queue.lenient.load(Ordering::Relaxed);
            Instant::now()
                + match (lenient, guard.0.stuck) {
                    (false, false) => FULL_WAIT,
                    (false, true) => STUCK_WAIT,
                    (true, false) => LENIENT_WAIT,
                    (true, true) => Duration::ZERO,
                }
        });
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            guard.0.stuck = true;
            let error = &guard.0.last_error;
            return Err(if error.is_empty() {
                reason.to_owned()
            } else {
                format!("{reason}; its last error: {error}")
            });
        }
        guard.0.nudged = true;
        queue.work.notify_one();
        Ok(queue.wait_for_progress(guard, left.min(LOOK_INTERVAL)))
    }
}
