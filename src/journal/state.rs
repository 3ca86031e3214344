//! What a journal knows of itself: its segments, how far it has come, and what has been synced.

use super::error::Forked;
use crate::files::{FileLayer, LogFile, Names};
use crate::locks::lock;
use std::collections::VecDeque;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

/// A segment takes frames up to this size; a larger frame gets one of its own. Disk space is given back in such pieces.
pub const SEGMENT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What all segments may take together: at 100 bytes an operation, ten million that wait to be committed.
pub const JOURNAL_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// How large the files may become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub segment_bytes: u64,
    pub total_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            segment_bytes: SEGMENT_BYTES_MAX,
            total_bytes: JOURNAL_BYTES_MAX,
        }
    }
}

/// What there is to say of a journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JournalFigures {
    /// Bytes of all segments, what has been committed but not yet given back included.
    pub bytes: u64,
    pub segments: u64,
    /// `seq` of the next frame.
    pub next_seq: u64,
    /// Everything below is known to survive a power loss, save what [`Journal::sync_to`] has refused.
    pub synced_seq: u64,
    pub syncs: u64,
    pub failed_syncs: u64,
}

/// A segment as the journal knows it.
pub(super) struct Segment {
    pub number: u64,
    pub path: PathBuf,
    /// Open as long as there may be something to sync or to append.
    pub file: Option<Arc<dyn LogFile>>,
    /// The `seq` before its first frame that were not to be journaled; empty if there are none.
    pub skipped: Range<u64>,
    /// The `seq` behind its last frame.
    pub next_seq: u64,
    /// Where its last whole frame ends.
    pub end: u64,
    /// What it takes of the disk.
    pub bytes: u64,
    /// Something was appended since the last sync began.
    pub dirty: bool,
    /// It is damaged: not deleted when it is released but renamed to this.
    pub set_aside: Option<PathBuf>,
}

pub(super) struct State {
    /// The oldest first.
    pub segments: VecDeque<Segment>,
    /// Whether the last of them takes more frames.
    pub active: bool,
    pub next_seq: u64,
    /// The `seq` behind the last frame: less if some have been skipped since.
    pub follows_seq: u64,
    /// Everything below is the store's.
    pub released_seq: u64,
    pub next_number: u64,
    /// A segment was created since the directory was last synced.
    pub directory_dirty: bool,
}

impl State {
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// What holds whenever nobody has the lock.
    fn assert_invariants(&self) {
        if !cfg!(debug_assertions) {
            return;
        }
        assert!(self.follows_seq <= self.next_seq);
        let numbers = self.segments.iter().map(|segment| segment.number);
        assert!(numbers.is_sorted_by(|one, next| one < next));
        if self.active {
            let last = self.segments.back();
            let takes_frames = last.is_some_and(|last| {
                last.number + 1 == self.next_number
                    && last.next_seq == self.follows_seq.max(last.skipped.end)
                    && last.end <= last.bytes
            });
            assert!(takes_frames, "the segment before {}", self.next_number);
        }
    }
}

/// What the journal and its readers share.
pub(super) struct Shared {
    pub layer: Arc<dyn FileLayer>,
    pub names: Names,
    pub limits: Limits,
    /// The process that opened the journal.
    pub process: u32,
    pub state: Mutex<State>,
    pub syncing: Mutex<Syncing>,
    pub synced: Condvar,
}

impl Shared {
    pub fn state(&self) -> MutexGuard<'_, State> {
        let state = lock(&self.state);
        state.assert_invariants();
        state
    }

    /// Refuses in a forked child. Asked before any lock is taken: in the child it may be locked for good.
    pub fn owned(&self) -> Result<(), Forked> {
        if crate::system::process::id() == self.process {
            Ok(())
        } else {
            Err(Forked {
                owner: self.process,
            })
        }
    }
}

/// Failures that are remembered one by one for callers who ask late. They ask right after their append, so few do. Who
/// asks for what is older is refused, whether that was synced or not.
const FAILURES_MAX: usize = 64;

pub(super) struct Syncing {
    /// Someone is syncing.
    pub led: bool,
    /// Everything below is synced, or in one of the failures.
    pub synced_seq: u64,
    /// `seq` that a failed sync left in doubt, the oldest first, and why.
    failures: VecDeque<(Range<u64>, String)>,
    /// Below this a failure may have been forgotten.
    forgotten_seq: u64,
    pub syncs: u64,
    pub failed_syncs: u64,
}

impl Syncing {
    /// What was there before `synced_seq` is not this journal's to sync: it has been recovered, not acknowledged.
    pub fn new(synced_seq: u64) -> Self {
        Self {
            led: false,
            synced_seq,
            failures: VecDeque::new(),
            forgotten_seq: 0,
            syncs: 0,
            failed_syncs: 0,
        }
    }

    /// Everything up to `doubtful` that is not synced never will be; what comes later can be, on its own.
    pub fn fail(&mut self, doubtful: u64, error: String) {
        self.failed_syncs += 1;
        let seqs = self.synced_seq..doubtful;
        self.synced_seq = doubtful;
        match self.failures.back_mut() {
            _ if seqs.is_empty() => {}
            Some((last, _)) if last.end == seqs.start => last.end = seqs.end,
            _ => self.failures.push_back((seqs, error)),
        }
        if self.failures.len() > FAILURES_MAX {
            if let Some((oldest, _)) = self.failures.pop_front() {
                self.forgotten_seq = oldest.end;
            }
        }
    }

    /// The failure that leaves the frame which ends at `position` in doubt.
    pub fn failure(&self, position: u64) -> Option<&str> {
        if position <= self.forgotten_seq {
            return Some("several syncs have failed since");
        }
        self.failures
            .iter()
            .find(|(seqs, _)| seqs.start < position && position <= seqs.end)
            .map(|(_, error)| error.as_str())
    }
}
