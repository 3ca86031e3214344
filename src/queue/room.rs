//! Waiting for room in the queue.

use super::error::{Error, Room};
use super::queue::{Guard, Queue};
use super::waiting::Waiting;
use crate::caller::{self, Interrupted, LOOK_INTERVAL};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How long a caller waits for room before the record is refused: longer than any commit that succeeds.
const FULL_WAIT: Duration = Duration::from_secs(10);
/// The same for a caller that would rather do without the record.
const LENIENT_WAIT: Duration = Duration::from_secs(3);
/// How long a caller waits when another one has just waited in vain; one that would do without does not wait at all.
const STUCK_WAIT: Duration = Duration::from_secs(1);

impl Queue {
    /// Waits for room, at most until the caller's wait ends.
    pub(super) fn wait_for_room<'a>(
        &'a self,
        waiting: &mut Waiting,
        mut guard: Guard<'a>,
        room: Room,
    ) -> Result<Guard<'a>, Error> {
        if caller::has_given_up() {
            return Err(Interrupted.into());
        }
        let deadline = *waiting.deadline.get_or_insert_with(|| {
            guard.0.full_waits += 1;
            let lenient = self.lenient.load(Ordering::Relaxed);
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
            return Err(Error::Full {
                room,
                last_error: guard.0.last_error.clone(),
            });
        }
        guard.0.nudged = true;
        self.work.notify_one();
        Ok(self.wait_for_progress(guard, left.min(LOOK_INTERVAL)))
    }
}
