//! The queue of accepted batches. One lock hands out `seq` and ids and appends, so that all three orders are the same.

use crate::record::{Batch, IdGenerator, Pending, Stamp};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Memory that waiting batches may take. A caller that finds the queue full waits for the writer.
pub const QUEUE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The writer is woken early at this fill, so that a burst does not have to wait.
const WAKE_BYTES: usize = QUEUE_BYTES_MAX / 16;

/// Batches whose memory is kept for new ones: a few commits' worth, at some 300 KB each for usual operations.
const SPARE_BATCHES_MAX: usize = 32;
/// Smaller batches cost less to allocate than to keep.
const SPARE_ROWS_MIN: usize = 256;

/// How long a caller waits for room before the record is refused: longer than any commit that succeeds.
const FULL_WAIT: Duration = Duration::from_secs(10);

/// Why the writer woke up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wake {
    /// Something waits that is due, or that somebody asked for.
    pub commit: bool,
    /// A command may be waiting.
    pub nudged: bool,
    pub shutdown: bool,
}

/// What `oplog_status()` shows of the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueFigures {
    pub operations: u64,
    pub bytes: u64,
    pub next_seq: u64,
    pub full_waits: u64,
}

#[derive(Default)]
struct State {
    pending: Vec<Pending>,
    bytes: usize,
    /// When the oldest batch in `pending` was accepted.
    oldest_at: Option<Instant>,
    next_seq: u64,
    /// Everything below is committed.
    committed_seq: u64,
    flush_wanted: bool,
    nudged: bool,
    shutdown: bool,
    /// Failed commits so far, and the last one's error.
    failures: u64,
    last_error: String,
    /// Set when the writer is gone for good.
    stopped: bool,
    full_waits: u64,
}

pub struct Queue {
    state: Mutex<(State, IdGenerator)>,
    spares: Mutex<Vec<Batch>>,
    /// For the writer.
    work: Condvar,
    /// For those who wait for a commit or for room.
    progress: Condvar,
}

/// A panic while a lock is held leaves whole values behind: every change below is complete before anything that could
/// panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Queue {
    pub fn new(next_seq: u64) -> Self {
        let state = State {
            next_seq,
            committed_seq: next_seq,
            ..State::default()
        };
        Self {
            state: Mutex::new((state, IdGenerator::new())),
            spares: Mutex::default(),
            work: Condvar::new(),
            progress: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, (State, IdGenerator)> {
        lock(&self.state)
    }

    /// Accepts a batch. Waits for room while the queue is full, and gives up when the writer makes none.
    pub fn push(&self, batch: Arc<Batch>) -> Result<Stamp, String> {
        let bytes = batch.bytes();
        let mut guard = self.lock();
        if guard.0.bytes >= QUEUE_BYTES_MAX {
            guard = self.wait_for_room(guard)?;
        }
        if guard.0.stopped {
            return Err(format!("the log is closed: {}", guard.0.last_error));
        }
        let (state, ids) = &mut *guard;
        // Taken under the lock: default timestamps rise with `seq`.
        let now_us = crate::clock::now_us();
        let stamp = Stamp {
            first_seq: state.next_seq,
            ids: ids.take(now_us, batch.rows()),
            recorded_at_us: now_us,
        };
        state.next_seq += batch.rows() as u64;
        let wakes = state.pending.is_empty()
            || (state.bytes < WAKE_BYTES && state.bytes + bytes >= WAKE_BYTES);
        state.bytes += bytes;
        state.oldest_at.get_or_insert_with(Instant::now);
        state.pending.push((stamp, batch));
        drop(guard);
        if wakes {
            self.work.notify_one();
        }
        Ok(stamp)
    }

    fn wait_for_room<'a>(
        &'a self,
        mut guard: MutexGuard<'a, (State, IdGenerator)>,
    ) -> Result<MutexGuard<'a, (State, IdGenerator)>, String> {
        guard.0.full_waits += 1;
        let deadline = Instant::now() + FULL_WAIT;
        while guard.0.bytes >= QUEUE_BYTES_MAX && !guard.0.stopped {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(format!(
                    "the queue is full ({} MiB wait to be committed) and the writer makes no room{}",
                    QUEUE_BYTES_MAX >> 20,
                    if guard.0.last_error.is_empty() {
                        String::new()
                    } else {
                        format!("; its last error: {}", guard.0.last_error)
                    }
                ));
            }
            self.work.notify_one();
            guard = self
                .progress
                .wait_timeout(guard, left)
                .map_or_else(|poisoned| poisoned.into_inner().0, |(guard, _)| guard);
        }
        Ok(guard)
    }

    /// Waits until everything accepted so far is committed, or until a commit fails.
    pub fn flush(&self) -> Result<u64, String> {
        let mut guard = self.lock();
        let target = guard.0.next_seq;
        let flushed = target - guard.0.committed_seq;
        let failures = guard.0.failures;
        while guard.0.committed_seq < target {
            if guard.0.stopped || guard.0.failures > failures {
                return Err(format!(
                    "what was recorded last cannot be committed: {}",
                    guard.0.last_error
                ));
            }
            guard.0.flush_wanted = true;
            self.work.notify_one();
            guard = self
                .progress
                .wait(guard)
                .unwrap_or_else(|poisoned| poisoned.into_inner());
        }
        Ok(flushed)
    }

    /// Wakes the writer for a command.
    pub fn nudge(&self) {
        self.lock().0.nudged = true;
        self.work.notify_one();
    }

    /// Asks the writer to commit what waits and to stop.
    pub fn shut_down(&self) {
        self.lock().0.shutdown = true;
        self.work.notify_one();
    }

    /// The writer's wait: returns when something is due, at the latest at `until`.
    pub fn wait(&self, flush_interval: Duration, until: Instant) -> Wake {
        let mut guard = self.lock();
        loop {
            let state = &mut guard.0;
            let due_at = state.oldest_at.map(|oldest| oldest + flush_interval);
            let now = Instant::now();
            let commit = !state.pending.is_empty()
                && (state.flush_wanted
                    || state.shutdown
                    || state.bytes >= WAKE_BYTES
                    || due_at.is_some_and(|due| due <= now));
            let wake = Wake {
                commit,
                nudged: std::mem::take(&mut state.nudged),
                shutdown: state.shutdown,
            };
            if wake.commit || wake.nudged || wake.shutdown || now >= until {
                return wake;
            }
            let until = due_at.map_or(until, |due| due.min(until));
            guard = self
                .work
                .wait_timeout(guard, until.saturating_duration_since(now))
                .map_or_else(|poisoned| poisoned.into_inner().0, |(guard, _)| guard);
        }
    }

    /// Takes what waits. It still counts against the limit until [`Queue::committed`] or [`Queue::failed`].
    pub fn take(&self) -> Vec<Pending> {
        let mut guard = self.lock();
        guard.0.flush_wanted = false;
        guard.0.oldest_at = None;
        std::mem::take(&mut guard.0.pending)
    }

    /// Marks batches as committed, and keeps the memory of some for new ones.
    pub fn committed(&self, batches: Vec<Pending>) {
        let mut guard = self.lock();
        let state = &mut guard.0;
        for (stamp, batch) in &batches {
            state.bytes -= batch.bytes();
            state.committed_seq = stamp.first_seq + batch.rows() as u64;
        }
        state.last_error.clear();
        drop(guard);
        self.progress.notify_all();
        let mut spares = lock(&self.spares);
        for (_, batch) in batches {
            if spares.len() == SPARE_BATCHES_MAX {
                break;
            }
            if batch.rows() >= SPARE_ROWS_MIN {
                spares.extend(Arc::into_inner(batch));
            }
        }
    }

    /// An old batch whose memory a new one of `rows` rows can take over.
    pub fn spare(&self, rows: usize) -> Option<Batch> {
        if rows < SPARE_ROWS_MIN {
            return None;
        }
        lock(&self.spares).pop()
    }

    /// Puts batches back in front after a failed commit.
    pub fn failed(&self, mut batches: Vec<Pending>, error: &str) {
        let mut guard = self.lock();
        let state = &mut guard.0;
        batches.append(&mut state.pending);
        state.pending = batches;
        // The next try is an interval away; a flush that waits is told now.
        state.oldest_at = Some(Instant::now());
        state.flush_wanted = false;
        state.failures += 1;
        error.clone_into(&mut state.last_error);
        drop(guard);
        self.progress.notify_all();
    }

    /// Marks the end of the writer: nothing is accepted any more, and nobody waits.
    pub fn stop(&self, reason: &str) {
        let mut guard = self.lock();
        guard.0.stopped = true;
        reason.clone_into(&mut guard.0.last_error);
        drop(guard);
        self.progress.notify_all();
    }

    /// The log has moved behind other records: numbering goes on from there.
    pub fn renumber(&self, next_seq: u64) {
        let mut guard = self.lock();
        let waiting = guard.0.next_seq - guard.0.committed_seq;
        let shift = next_seq - guard.0.committed_seq;
        for (stamp, _) in &mut guard.0.pending {
            stamp.first_seq += shift;
        }
        guard.0.committed_seq = next_seq;
        guard.0.next_seq = next_seq + waiting;
    }

    pub fn figures(&self) -> QueueFigures {
        let guard = self.lock();
        QueueFigures {
            operations: guard.0.next_seq - guard.0.committed_seq,
            bytes: guard.0.bytes as u64,
            next_seq: guard.0.next_seq,
            full_waits: guard.0.full_waits,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{BatchBuilder, Field, Source, Value};

    fn batch(rows: usize) -> Arc<Batch> {
        let mut builder = BatchBuilder::new(rows);
        for row in 0..rows {
            builder.seek(row);
            builder
                .push(Field::Command, &Value::Text("x".into()))
                .unwrap();
        }
        Arc::new(builder.finish(Source::Record, rows).0.unwrap())
    }

    const SOON: Duration = Duration::from_millis(10);

    #[test]
    fn seq_and_ids_rise_without_gaps_over_threads() {
        let queue = Arc::new(Queue::new(1));
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let queue = Arc::clone(&queue);
                std::thread::spawn(move || {
                    for _ in 0..500 {
                        queue.push(batch(3)).unwrap();
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        let taken = queue.take();
        let mut next = 1;
        let mut last_id = 0;
        let mut last_time = 0;
        for (stamp, batch) in &taken {
            assert_eq!(stamp.first_seq, next);
            assert!(stamp.ids.id(0) > last_id);
            assert!(stamp.recorded_at_us >= last_time);
            next += batch.rows() as u64;
            last_id = stamp.ids.id(batch.rows() - 1);
            last_time = stamp.recorded_at_us;
        }
        assert_eq!(next, 12_001);
    }

    #[test]
    fn a_batch_is_due_after_the_interval_and_not_before() {
        let queue = Queue::new(1);
        let far = Instant::now() + Duration::from_secs(60);
        queue.push(batch(1)).unwrap();
        let hour = Duration::from_secs(3600);
        assert!(!queue.wait(hour, Instant::now() + SOON).commit);
        assert!(queue.wait(SOON, far).commit);
    }

    #[test]
    fn a_flush_waits_for_the_commit() {
        let queue = Arc::new(Queue::new(1));
        queue.push(batch(2)).unwrap();
        let flusher = {
            let queue = Arc::clone(&queue);
            std::thread::spawn(move || queue.flush())
        };
        let hour = Duration::from_secs(3600);
        assert!(queue.wait(hour, Instant::now() + hour).commit);
        let taken = queue.take();
        queue.committed(taken);
        assert_eq!(flusher.join().unwrap(), Ok(2));
        assert_eq!(queue.flush(), Ok(0));
        assert_eq!(queue.figures().bytes, 0);
    }

    #[test]
    fn a_failed_commit_keeps_the_order_and_tells_those_who_wait() {
        let queue = Arc::new(Queue::new(1));
        queue.push(batch(1)).unwrap();
        let flusher = {
            let queue = Arc::clone(&queue);
            std::thread::spawn(move || queue.flush())
        };
        let hour = Duration::from_secs(3600);
        assert!(queue.wait(hour, Instant::now() + hour).commit);
        let taken = queue.take();
        queue.push(batch(1)).unwrap();
        queue.failed(taken, "no space");
        assert!(flusher.join().unwrap().unwrap_err().ends_with("no space"));
        let seqs: Vec<u64> = queue
            .take()
            .iter()
            .map(|(stamp, _)| stamp.first_seq)
            .collect();
        assert_eq!(seqs, [1, 2]);
    }

    #[test]
    fn nothing_is_accepted_and_nobody_waits_once_the_writer_is_gone() {
        let queue = Queue::new(1);
        queue.push(batch(1)).unwrap();
        queue.stop("it is over");
        assert!(queue.flush().unwrap_err().ends_with("it is over"));
        assert!(queue.push(batch(1)).unwrap_err().ends_with("it is over"));
    }
}
