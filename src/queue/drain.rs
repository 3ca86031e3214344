//! The writer's side of the queue: waiting for work, taking it, and what came of it.

use super::error::Error;
use super::queue::{Queue, Wake, READ_BACK_BYTES, SPARE_BATCHES_MAX, SPARE_ROWS_MIN, WAKE_BYTES};
use crate::journal::Journal;
use crate::locks::{lock, wait_at_most};
use crate::record::{part, Pending};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a commit takes at most, in rows and bytes: the private instance has to hold it several times over, uncommitted,
/// in its write-ahead log's buffers and compressed.
const COMMIT_MAX: (usize, usize) = (usize::MAX, 64 * 1024 * 1024);

/// The same where there is no journal: there the store is in memory, which a commit must not fill before its size can be
/// looked at.
const COMMIT_IN_MEMORY_MAX: (usize, usize) = (100_000, 16 * 1024 * 1024);

impl Queue {
    /// The writer's wait: returns when something is due, at the latest at `until`.
    pub fn wait(&self, flush_interval: Duration, until: Instant) -> Wake {
        let mut guard = self.lock();
        loop {
            let state = &mut guard.0;
            let due_at = state.oldest_at.map(|oldest| oldest + flush_interval);
            let now = Instant::now();
            let commit = state.waits()
                && (state.flush_to > state.committed_seq
                    || state.shutdown
                    || state.bytes >= WAKE_BYTES
                    || (state.spilled_from.is_some() && state.oldest_at.is_none())
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
            guard = wait_at_most(&self.work, guard, until.saturating_duration_since(now));
        }
    }

    /// Takes what waits, in order: what memory holds, or else a part of what the journal does. It still counts against
    /// the limit until [`Queue::committed`] or [`Queue::failed`].
    pub fn take(&self) -> Result<Vec<Pending>, Error> {
        let mut guard = self.lock();
        let state = &mut guard.0;
        if !state.pending.is_empty() {
            let limits = match state.journal {
                Some(_) => COMMIT_MAX,
                None => COMMIT_IN_MEMORY_MAX,
            };
            let count = fitting(&state.pending, limits);
            let rest = state.pending.split_off(count);
            if rest.is_empty() {
                state.oldest_at = None;
            }
            return Ok(std::mem::replace(&mut state.pending, rest));
        }
        state.oldest_at = None;
        let (Some(from), Some(journal)) = (state.spilled_from, state.journal.clone()) else {
            return Ok(Vec::new());
        };
        drop(guard);
        self.read_back(&journal, from)
    }

    fn read_back(&self, journal: &Journal, from: u64) -> Result<Vec<Pending>, Error> {
        let mut slot = lock(&self.reader);
        let reader = slot.get_or_insert_with(|| journal.reader(from));
        let mut batches: Vec<Pending> = Vec::new();
        let mut bytes = 0;
        let mut at_end = false;
        while bytes < READ_BACK_BYTES && !at_end {
            match reader.read() {
                Ok(Some(pending)) => {
                    // Earlier versions journaled chunks of any size whole.
                    for rows in pending.1.parts() {
                        let part = part(&pending, rows);
                        bytes += part.1.bytes();
                        batches.push(part);
                    }
                }
                Ok(None) => at_end = true,
                // What was read so far is committed first; the same place is tried again then.
                Err(_) if !batches.is_empty() => break,
                Err(error) => return Err(error.into()),
            }
        }
        let rest = batches.split_off(fitting(&batches, COMMIT_MAX));
        let mut guard = self.lock();
        let state = &mut guard.0;
        state.bytes += bytes;
        state.pending.splice(0..0, rest);
        if at_end && reader.next_seq() >= state.next_seq {
            // Read to the end, and nothing has come since: from here on memory holds what waits.
            state.spilled_from = None;
            let lost = reader.lost().iter();
            state.lost += lost
                .filter(|lost| lost.start >= state.recovered_seq)
                .map(|lost| lost.end - lost.start)
                .sum::<u64>();
            *slot = None;
            if batches.is_empty() {
                // The rest was damaged on disk: there is nothing left to wait for.
                state.committed_seq = state.next_seq;
                drop(guard);
                self.progress.notify_all();
            }
        }
        Ok(batches)
    }

    /// Marks batches as committed, gives their place in the journal back, and keeps the memory of some for new ones.
    pub fn committed(&self, batches: Vec<Pending>) {
        let mut guard = self.lock();
        let state = &mut guard.0;
        for (stamp, batch) in &batches {
            state.bytes -= batch.bytes();
            state.committed_seq = stamp.first_seq + batch.rows() as u64;
        }
        if !state.waits() {
            // What is not there was damaged on disk: nobody may wait for it.
            state.committed_seq = state.next_seq;
        }
        state.last_error.clear();
        state.stuck = false;
        let (journal, committed_seq) = (state.journal.clone(), state.committed_seq);
        let is_spool = state.is_spool;
        drop(guard);
        self.progress.notify_all();
        if let Some(journal) = journal {
            // What cannot be deleted now is tried again with the next commit.
            let _ = if is_spool {
                journal.release_deleted()
            } else {
                journal.release(committed_seq)
            };
        }
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

    /// Puts batches back that were taken and not tried.
    pub fn put_back(&self, mut batches: Vec<Pending>) {
        if batches.is_empty() {
            return;
        }
        let mut guard = self.lock();
        let state = &mut guard.0;
        batches.append(&mut state.pending);
        state.pending = batches;
        state.oldest_at.get_or_insert_with(Instant::now);
    }

    /// Puts batches back in front after a failed commit.
    pub fn failed(&self, mut batches: Vec<Pending>, error: &str) {
        let mut guard = self.lock();
        let state = &mut guard.0;
        batches.append(&mut state.pending);
        state.pending = batches;
        // The next try is an interval away; a flush that waits is told now.
        state.oldest_at = Some(Instant::now());
        state.flush_to = 0;
        state.failures += 1;
        error.clone_into(&mut state.last_error);
        drop(guard);
        self.progress.notify_all();
    }
}

/// How many batches to take at a time: one at least.
fn fitting(pending: &[Pending], (rows_max, bytes_max): (usize, usize)) -> usize {
    let (mut rows, mut bytes) = (0, 0);
    pending
        .iter()
        .take_while(|(_, batch)| {
            let fits = rows < rows_max && bytes < bytes_max;
            rows += batch.rows();
            bytes += batch.bytes();
            fits
        })
        .count()
}
