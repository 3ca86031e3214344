//! The queue itself: accepting and flushing.

use super::error::{Error, Room};
use super::waiting::{Unsynced, Waiting};
use crate::caller::LOOK_INTERVAL;
use crate::journal::{AppendError, Frame, Journal, Reader};
use crate::locks::{lock, wait_at_most};
use crate::record::{Batch, Field, IdGenerator, IdRange, Pending, Stamp};
use crate::settings::Durability;
use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Memory that waiting batches may take. Beyond it they wait in the journal; without one, a caller waits for the writer.
pub const QUEUE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The writer is woken early at this fill, so that a burst does not have to wait.
pub(super) const WAKE_BYTES: usize = QUEUE_BYTES_MAX / 16;

/// What the writer takes from the journal at a time.
pub(super) const READ_BACK_BYTES: usize = QUEUE_BYTES_MAX / 4;

/// How long a flush waits for a writer that commits nothing: it may be moving or purging a large log.
const PROGRESS_WAIT: Duration = Duration::from_secs(60);

/// Batches whose memory is kept for new ones: a few commits' worth, at some 300 KB each for usual operations.
pub(super) const SPARE_BATCHES_MAX: usize = 32;
/// Smaller batches cost less to allocate than to keep.
pub(super) const SPARE_ROWS_MIN: usize = 256;

/// A thread keeps the buffer that it encodes into, unless it has become larger than usual chunks need.
const BUFFER_BYTES_MAX: usize = 4 * 1024 * 1024;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What a batch brings along that was recorded elsewhere, or begun earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    pub ids: IdRange,
    /// None for the time of its acceptance.
    pub recorded_at_us: Option<i64>,
}

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
    /// Whether what waits is in the journal only, because memory is at its limit.
    pub spilled: bool,
    pub journal_bytes: u64,
    pub journal_segments: u64,
    /// Waits for the disk under the durability `os`.
    pub syncs: u64,
    /// Operations whose frames were damaged on disk before they could be read back.
    pub lost: u64,
}

#[derive(Default)]
pub(super) struct State {
    pub pending: Vec<Pending>,
    pub bytes: usize,
    /// When the oldest batch in `pending` was accepted.
    pub oldest_at: Option<Instant>,
    /// From this `seq` on, what waits is in the journal only.
    pub spilled_from: Option<u64>,
    pub next_seq: u64,
    /// Everything below is committed.
    pub committed_seq: u64,
    /// Somebody waits until everything below is committed.
    pub flush_to: u64,
    pub nudged: bool,
    /// The log is on the move: nothing is accepted until it has arrived.
    pub paused: bool,
    pub shutdown: bool,
    /// Failed commits so far, and the last one's error.
    pub failures: u64,
    pub last_error: String,
    /// Set when the writer is gone for good.
    pub stopped: bool,
    pub full_waits: u64,
    /// Below this, what cannot be read was counted on recovery.
    pub recovered_seq: u64,
    /// Operations that were journaled since and could not be read back.
    pub lost: u64,
    pub journal: Option<Arc<Journal>>,
    /// The `seq` behind the last record that went into the journal.
    pub journaled_seq: u64,
    /// When and why the journal took a record last in vain; none once it has taken one since.
    pub refused: Option<(Instant, String)>,
    /// Somebody has waited for room in vain, and nothing has moved since.
    pub stuck: bool,
    /// The journal is a spool: it is not given back with a commit, but when the log's owner has taken it over.
    pub is_spool: bool,
}

impl State {
    pub fn waits(&self) -> bool {
        !self.pending.is_empty() || self.spilled_from.is_some()
    }

    /// What holds whenever nobody has the lock.
    fn assert_invariants(&self) {
        if !cfg!(debug_assertions) {
            return;
        }
        assert!(self.committed_seq <= self.next_seq);
        let mut last = self.committed_seq;
        let mut bytes = 0;
        for (stamp, batch) in &self.pending {
            assert!(
                last <= stamp.first_seq,
                "seq {} waits behind {last}",
                stamp.first_seq
            );
            last = stamp.first_seq + batch.rows() as u64;
            bytes += batch.bytes();
        }
        assert!(last <= self.next_seq);
        // What is being committed counts too.
        assert!(bytes <= self.bytes, "{bytes} bytes of {} wait", self.bytes);
        // What is in the journal only comes behind what memory holds.
        if let Some(from) = self.spilled_from {
            assert!(last <= from || self.pending.is_empty(), "{last} and {from}");
            assert!(from <= self.next_seq && self.journal.is_some() || self.stopped);
        }
    }
}

pub(super) type Guard<'a> = MutexGuard<'a, (State, IdGenerator)>;

pub struct Queue {
    pub(super) state: Mutex<(State, IdGenerator)>,
    /// Whether there is a journal: known without the lock, so that encoding need not wait for it.
    pub(super) has_journal: AtomicBool,
    /// Reads back what memory does not hold. Used by the writer alone.
    pub(super) reader: Mutex<Option<Reader>>,
    pub(super) spares: Mutex<Vec<Batch>>,
    /// Callers must never be held up for long.
    pub(super) lenient: AtomicBool,
    /// For the writer.
    pub(super) work: Condvar,
    /// For those who wait for a commit or for room.
    pub(super) progress: Condvar,
}

impl Queue {
    /// A queue behind a store that has everything below `committed_seq`. What the journal has above it waits already.
    pub fn new(committed_seq: u64, journal: Option<(Journal, u64)>) -> Self {
        let mut state = State {
            committed_seq,
            next_seq: committed_seq,
            ..State::default()
        };
        if let Some((journal, next_seq)) = journal {
            state.next_seq = next_seq.max(committed_seq);
            state.recovered_seq = state.next_seq;
            state.spilled_from = (next_seq > committed_seq).then_some(committed_seq);
            state.journal = Some(Arc::new(journal));
        }
        Self {
            has_journal: AtomicBool::new(state.journal.is_some()),
            state: Mutex::new((state, IdGenerator::new())),
            reader: Mutex::default(),
            spares: Mutex::default(),
            lenient: AtomicBool::new(false),
            work: Condvar::new(),
            progress: Condvar::new(),
        }
    }

    pub(super) fn lock(&self) -> Guard<'_> {
        let guard = lock(&self.state);
        guard.0.assert_invariants();
        guard
    }

    pub(super) fn wait_for_progress<'a>(
        &'a self,
        guard: Guard<'a>,
        at_most: Duration,
    ) -> Guard<'a> {
        wait_at_most(&self.progress, guard, at_most)
    }

    /// Accepts a batch: when this returns, it has its place in the log and survives what `durability` says. A batch that
    /// comes from elsewhere keeps the ids and the time that it has.
    pub fn push(
        &self,
        batch: Arc<Batch>,
        durability: Durability,
        origin: Option<Origin>,
    ) -> Result<Stamp, Error> {
        let (stamp, unsynced) = self.push_unsynced(batch, durability, origin)?;
        unsynced.wait()?;
        Ok(stamp)
    }

    /// Ids for operations that are accepted later, in the order in which they are given out.
    pub fn take_ids(&self, now_us: i64, rows: usize) -> IdRange {
        self.lock().1.take(now_us, rows)
    }

    /// The same as [`Queue::push`], but under `os` the batch survives a power loss only once what is returned has been
    /// waited for.
    pub fn push_unsynced(
        &self,
        batch: Arc<Batch>,
        durability: Durability,
        origin: Option<Origin>,
    ) -> Result<(Stamp, Unsynced), Error> {
        let journaled =
            durability != Durability::Memory && self.has_journal.load(Ordering::Relaxed);
        let mut frame = journaled.then(|| Frame::new(&batch, BUFFER.take()));
        let accepted = self.accept(batch, frame.as_mut(), origin);
        if let Some(frame) = frame {
            let buffer = frame.into_buffer();
            if buffer.capacity() <= BUFFER_BYTES_MAX {
                BUFFER.set(buffer);
            }
        }
        let (stamp, place) = accepted?;
        let place = place.filter(|_| durability == Durability::Os);
        Ok((stamp, Unsynced(place)))
    }

    /// What needs the lock: gives the batch its place, journals it and lets it wait.
    #[allow(clippy::type_complexity)]
    fn accept(
        &self,
        batch: Arc<Batch>,
        mut frame: Option<&mut Frame>,
        origin: Option<Origin>,
    ) -> Result<(Stamp, Option<(Arc<Journal>, u64)>), Error> {
        let rows = batch.rows();
        let bytes = batch.bytes();
        let mut waiting = Waiting::default();
        let mut guard = self.lock();
        loop {
            if guard.0.stopped {
                let reason = guard.0.last_error.clone();
                return Err(Error::Stopped { reason });
            }
            let journal = guard.0.journal.clone().filter(|_| frame.is_some());
            let full = guard.0.bytes >= QUEUE_BYTES_MAX || guard.0.spilled_from.is_some();
            if guard.0.paused || (full && journal.is_none()) {
                guard = self.wait_for_room(&mut waiting, guard, Room::Queue)?;
                continue;
            }
            let (state, ids) = &mut *guard;
            // Taken under the lock: default timestamps rise with `seq`.
            let now_us = crate::system::clock::now_us();
            let stamp = Stamp {
                first_seq: state.next_seq,
                ids: origin.map_or_else(|| ids.take(now_us, rows), |origin| origin.ids),
                recorded_at_us: origin
                    .and_then(|origin| origin.recorded_at_us)
                    .unwrap_or(now_us),
            };
            let mut place = None;
            if let (Some(journal), Some(frame)) = (journal, frame.as_deref_mut()) {
                if state.journaled_seq != stamp.first_seq {
                    // Operations that were not journaled, for their durability, leave no gap that would look like a loss.
                    journal.skip_to(stamp.first_seq);
                }
                match journal.append(frame, &stamp) {
                    Ok(position) => {
                        state.refused = None;
                        state.journaled_seq = position;
                        place = Some((journal, position));
                    }
                    Err(AppendError::Full { .. }) => {
                        guard = self.wait_for_room(&mut waiting, guard, Room::Journal)?;
                        continue;
                    }
                    Err(error) => {
                        if let AppendError::File(error) = &error {
                            state.refused = Some((Instant::now(), error.to_string()));
                        }
                        return Err(error.into());
                    }
                }
            }
            let wakes =
                !state.waits() || (state.bytes < WAKE_BYTES && state.bytes + bytes >= WAKE_BYTES);
            state.next_seq += rows as u64;
            if full {
                state.spilled_from.get_or_insert(stamp.first_seq);
            } else {
                state.bytes += bytes;
                state.oldest_at.get_or_insert_with(Instant::now);
                state.pending.push((stamp, batch));
            }
            drop(guard);
            if wakes {
                self.work.notify_one();
            }
            return Ok((stamp, place));
        }
    }

    #[cfg(test)]
    pub fn flush(&self) -> Result<u64, Error> {
        self.flush_unless(|| None)
    }

    /// Waits until everything accepted so far is committed, until a commit fails, or until there is a reason to give up; and
    /// for as long as a writer that works takes at most from one commit to the next.
    pub fn flush_unless<E: From<Error>>(&self, gives_up: impl Fn() -> Option<E>) -> Result<u64, E> {
        let mut guard = self.lock();
        let target = guard.0.next_seq;
        let flushed = target - guard.0.committed_seq;
        let failures = guard.0.failures;
        guard.0.flush_to = guard.0.flush_to.max(target);
        let (mut committed_seq, mut since) = (guard.0.committed_seq, Instant::now());
        while guard.0.committed_seq < target {
            if guard.0.stopped || guard.0.failures > failures {
                let reason = guard.0.last_error.clone();
                return Err(Error::NotCommitted { reason }.into());
            }
            if guard.0.committed_seq != committed_seq {
                (committed_seq, since) = (guard.0.committed_seq, Instant::now());
            }
            let left = PROGRESS_WAIT.saturating_sub(since.elapsed());
            if left.is_zero() {
                let since = PROGRESS_WAIT;
                return Err(Error::Busy { since }.into());
            }
            self.work.notify_one();
            guard = self.wait_for_progress(guard, left.min(LOOK_INTERVAL));
            if let Some(reason) = gives_up() {
                return Err(reason);
            }
        }
        Ok(flushed)
    }

    /// The time of the oldest operation that waits to be committed, `i64::MIN` where that is not known.
    pub fn oldest_waiting_us(&self) -> i64 {
        let guard = self.lock();
        let state = &guard.0;
        let first_seq = state.pending.first().map(|(stamp, _)| stamp.first_seq);
        let is_known = first_seq.is_some_and(|seq| seq <= state.committed_seq);
        if state.spilled_from.is_some() || !is_known {
            return i64::MIN;
        }
        let times = state.pending.iter().flat_map(|(stamp, batch)| {
            (0..batch.rows()).map(|row| {
                let given = batch.number(Field::Timestamp, row).map(|us| us as i64);
                given.unwrap_or(stamp.recorded_at_us)
            })
        });
        times.min().unwrap_or(i64::MAX)
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

    pub fn is_shut_down(&self) -> bool {
        self.lock().0.shutdown
    }

    /// An old batch whose memory a new one of `rows` rows can take over.
    pub fn spare(&self, rows: usize) -> Option<Batch> {
        if rows < SPARE_ROWS_MIN {
            return None;
        }
        lock(&self.spares).pop()
    }

    /// Whether callers would rather do without a record than wait long for its place.
    pub fn be_lenient(&self, lenient: bool) {
        self.lenient.store(lenient, Ordering::Relaxed);
    }

    /// Accepts nothing until [`Queue::resume`]: callers wait.
    pub fn pause(&self) {
        self.lock().0.paused = true;
    }

    /// Makes the journal a spool for another process's log.
    pub fn spool(self) -> Self {
        self.lock().0.is_spool = true;
        self
    }

    /// The `seq` of the next record.
    pub fn next_seq(&self) -> u64 {
        self.lock().0.next_seq
    }

    /// Everything below is committed.
    pub fn committed_seq(&self) -> u64 {
        self.lock().0.committed_seq
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        !self.lock().0.waits()
    }

    /// Goes on after a pause, at another place: an empty queue numbers on from `next_seq`.
    pub fn resume_at(&self, next_seq: u64, journal: Option<Journal>) {
        let mut guard = self.lock();
        let state = &mut guard.0;
        state.next_seq = next_seq;
        state.committed_seq = next_seq;
        self.has_journal.store(journal.is_some(), Ordering::Relaxed);
        state.journal = journal.map(Arc::new);
        state.is_spool = false;
        drop(guard);
        self.resume();
    }

    /// Goes on after a pause.
    pub fn resume(&self) {
        let mut guard = self.lock();
        guard.0.paused = false;
        guard.0.stuck = false;
        drop(guard);
        self.progress.notify_all();
    }

    /// Marks the end of the writer: nothing is accepted any more, and nobody waits. The journal's files are let go.
    pub fn stop(&self, reason: &str) {
        let mut guard = self.lock();
        guard.0.stopped = true;
        reason.clone_into(&mut guard.0.last_error);
        let journal = guard.0.journal.take();
        drop(guard);
        self.progress.notify_all();
        *lock(&self.reader) = None;
        drop(journal);
    }

    /// Below this, what waits was accepted by a process that is gone.
    pub fn recovered_seq(&self) -> u64 {
        self.lock().0.recovered_seq
    }

    pub fn figures(&self) -> QueueFigures {
        let guard = self.lock();
        let state = &guard.0;
        let mut figures = QueueFigures {
            operations: state.next_seq - state.committed_seq,
            bytes: state.bytes as u64,
            next_seq: state.next_seq,
            full_waits: state.full_waits,
            spilled: state.spilled_from.is_some(),
            lost: state.lost,
            ..QueueFigures::default()
        };
        let journal = state.journal.clone();
        drop(guard);
        if let Some(journal) = journal.map(|journal| journal.figures()) {
            figures.journal_bytes = journal.bytes;
            figures.journal_segments = journal.segments;
            figures.syncs = journal.syncs;
        }
        figures
    }
}
