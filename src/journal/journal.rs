//! The journal itself: appending, releasing and its limits.

use super::error::{AppendError, OpenError};
use super::frame::Frame;
use super::reader::Reader;
use super::recover::{self, Recovery};
use super::segment::{self, HEADER_BYTES};
use super::state::{JournalFigures, Limits, Segment, Shared, State, Syncing};
use crate::files::{
    limit_set_aside, write_whole, FileError, FileLayer, FileSystem, Names, OwnerLock,
};
use crate::record::Stamp;
use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

/// A durable queue of frames in the order of their `seq`, in files beside the sidecar.
///
/// **What it guarantees.** A frame whose [`append`](Self::append) has returned survives the end of the process in any
/// form. A frame that [`sync_to`](Self::sync_to) covers survives a power loss too. After either, recovery gives back
/// each such frame exactly once and in order, unless its bytes were damaged later, in which case it says so.
///
/// **What it does not.** A frame whose append or sync has failed may or may not be there after a crash: whole if it is.
/// Files that somebody edits, or restores from elsewhere, are read for what they are.
///
/// **Threads.** Every method may be called from any thread. Appends exclude each other; no lock that they need is held
/// while files are synced or deleted.
///
/// **Ownership.** One journal of one process owns the files; opening them a second time is refused. A forked child has
/// a copy of this value and must not use it: there appending, syncing and reading are refused, and releasing and
/// dropping do nothing.
pub struct Journal {
    shared: Arc<Shared>,
    /// Given back when the journal is dropped; readers do not hold it.
    _lock: Box<dyn Send + Sync>,
}

impl Journal {
    /// Opens the journal beside a sidecar whose store has committed everything below `next_seq`, and recovers what the
    /// store has not: read it with [`reader`](Self::reader) from `next_seq` on, and append what is new behind
    /// [`Recovery::next_seq`].
    pub fn open(
        sidecar: &Path,
        next_seq: u64,
        limits: Limits,
    ) -> Result<(Self, Recovery), OpenError> {
        Self::open_in(
            Arc::new(FileSystem::beside(sidecar)),
            sidecar,
            next_seq,
            limits,
        )
    }

    /// The same with files of another kind.
    pub fn open_in(
        layer: Arc<dyn FileLayer>,
        sidecar: &Path,
        next_seq: u64,
        limits: Limits,
    ) -> Result<(Self, Recovery), OpenError> {
        let lock_path = Names::beside(sidecar).lock();
        let lock = layer
            .lock(&lock_path)
            .map_err(FileError::of("lock", &lock_path))?
            .ok_or(OpenError::Held { lock: lock_path })?;
        Self::open_with(layer, lock, sidecar, next_seq, limits)
    }

    /// The same where the lock was taken before.
    pub fn open_locked(
        lock: OwnerLock,
        sidecar: &Path,
        next_seq: u64,
        limits: Limits,
    ) -> Result<(Self, Recovery), OpenError> {
        let layer = Arc::new(FileSystem::beside(sidecar));
        Self::open_with(layer, Box::new(lock), sidecar, next_seq, limits)
    }

    fn open_with(
        layer: Arc<dyn FileLayer>,
        lock: Box<dyn Send + Sync>,
        sidecar: &Path,
        next_seq: u64,
        limits: Limits,
    ) -> Result<(Self, Recovery), OpenError> {
        let names = Names::beside(sidecar);
        let (segments, next_number, recovery) = recover::recover(&*layer, &names, next_seq)?;
        let state = State {
            segments,
            active: false,
            next_seq: recovery.next_seq,
            follows_seq: recovery.next_seq,
            released_seq: next_seq,
            next_number,
            directory_dirty: false,
        };
        let shared = Shared {
            layer,
            names,
            limits,
            process: crate::system::process::id(),
            syncing: Mutex::new(Syncing::new(recovery.next_seq)),
            synced: Condvar::new(),
            state: Mutex::new(state),
        };
        let journal = Self {
            shared: Arc::new(shared),
            _lock: lock,
        };
        // Old files that cannot be deleted now are tried again at the next release.
        let _ = journal.release(next_seq);
        Ok((journal, recovery))
    }

    /// Puts a frame into its place: with one write(2), and on success it has been handed to the operating system.
    /// Returns the `seq` behind it, which is what [`sync_to`](Self::sync_to) takes.
    ///
    /// `stamp.first_seq` continues where the last frame ended; after an error that is where it was before.
    pub fn append(&self, frame: &mut Frame, stamp: &Stamp) -> Result<u64, AppendError> {
        self.shared.owned().map_err(AppendError::Forked)?;
        let mut state = self.shared.state();
        if stamp.first_seq != state.next_seq {
            return Err(AppendError::OutOfOrder {
                expected: state.next_seq,
                given: stamp.first_seq,
            });
        }
        let limit = self.shared.limits.total_bytes;
        let bytes = frame.len() as u64;
        // Half of the limit, because the other half may be what one segment has not yet given back. Lengths have 32
        // bits.
        if bytes > (limit / 2).min(u64::from(u32::MAX)) {
            return Err(AppendError::TooLarge { bytes, limit });
        }
        let used = state.bytes();
        if used + HEADER_BYTES as u64 + bytes > limit {
            return Err(AppendError::Full { bytes: used, limit });
        }
        let fits = |segment: &Segment| {
            segment.end == HEADER_BYTES as u64 || segment.end + bytes <= self.segment_bytes()
        };
        if !(state.active && state.segments.back().is_some_and(fits)) {
            state.active = false;
            self.begin_segment(&mut state)?;
        }
        let next_seq = stamp.first_seq + u64::from(frame.rows());
        let State {
            segments, active, ..
        } = &mut *state;
        let Some((segment, file)) = segments.back_mut().and_then(|segment| {
            let file = segment.file.clone()?;
            Some((segment, file))
        }) else {
            unreachable!("the active segment is the last one, and open");
        };
        if let Err(error) = write_whole(&*file, frame.stamped(stamp)) {
            // A later frame must not follow garbage: either the file ends again where its last whole frame does, or
            // nothing more is put into it. Recovery passes by a garbled end behind which nothing is missing.
            if file.truncate(segment.end).is_err() {
                segment.bytes = file.bytes().unwrap_or(segment.bytes + bytes);
                *active = false;
            }
            return Err(AppendError::File(FileError::of("write", &segment.path)(
                error,
            )));
        }
        segment.end += bytes;
        segment.bytes = segment.end;
        segment.next_seq = next_seq;
        segment.dirty = true;
        state.next_seq = next_seq;
        state.follows_seq = next_seq;
        Ok(next_seq)
    }

    /// Goes on at `seq` if that is further: what lies between is not to be journaled, and no loss that recovery would
    /// report. The next frame begins a segment, whose header says so.
    pub fn skip_to(&self, seq: u64) {
        if self.shared.owned().is_err() {
            return;
        }
        let mut state = self.shared.state();
        if seq > state.next_seq {
            state.next_seq = seq;
            state.active = false;
        }
    }

    /// No more than a quarter of the journal, so that a small one too can give space back.
    fn segment_bytes(&self) -> u64 {
        let limits = self.shared.limits;
        limits.segment_bytes.min(limits.total_bytes / 4)
    }

    fn begin_segment(&self, state: &mut State) -> Result<(), AppendError> {
        let layer = &self.shared.layer;
        let (number, path, created) = loop {
            let number = state.next_number;
            // Whatever happens to this one, its name is not used again.
            state.next_number += 1;
            let path = self.shared.names.segment(number);
            match layer.create(&path) {
                // Something of that name that is no segment, or none of ours.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                created => break (number, path, created),
            }
        };
        let begun = created.and_then(|file| {
            let header = segment::header(number, state.next_seq, state.follows_seq);
            write_whole(&*file, &header)
                .inspect_err(|_| {
                    // If it stays, recovery finds a segment without frames.
                    let _ = layer.remove(&path);
                })
                .map(|()| file)
        });
        let file =
            begun.map_err(|error| AppendError::File(FileError::of("begin", &path)(error)))?;
        state.directory_dirty = true;
        state.segments.push_back(Segment {
            number,
            path,
            file: Some(file),
            skipped: state.follows_seq..state.next_seq,
            next_seq: state.next_seq,
            end: HEADER_BYTES as u64,
            bytes: HEADER_BYTES as u64,
            dirty: true,
            set_aside: None,
        });
        state.active = true;
        Ok(())
    }

    /// Gives back what holds nothing but frames below `next_seq`. Called when the store has committed them for good:
    /// from then on they are the store's to keep.
    ///
    /// A damaged segment is set aside now and not earlier, so that a crash in between finds what is good in it.
    pub fn release(&self, next_seq: u64) -> Result<(), FileError> {
        if self.shared.owned().is_err() {
            return Ok(());
        }
        let mut state = self.shared.state();
        state.released_seq = state.released_seq.max(next_seq);
        // The segment in use goes too once it is worth the trouble of beginning another.
        let worthwhile = self.segment_bytes() / 4;
        self.discard(state, worthwhile)
    }

    /// Takes back that everything from `next_seq` on was released: the store does not have it. What is deleted is gone.
    pub fn unrelease(&self, next_seq: u64) {
        if self.shared.owned().is_ok() {
            let mut state = self.shared.state();
            state.released_seq = state.released_seq.min(next_seq);
        }
    }

    /// Lets go of segments whose files somebody else has deleted: the owner of the log, once it has committed what a spool
    /// holds.
    pub fn release_deleted(&self) -> Result<(), FileError> {
        if self.shared.owned().is_err() {
            return Ok(());
        }
        let directory = &self.shared.names.directory;
        let there = self
            .shared
            .layer
            .list(directory)
            .map_err(FileError::of("list", directory))?;
        let mut state = self.shared.state();
        let active = state.active.then_some(state.next_number - 1);
        state.segments.retain(|segment| {
            Some(segment.number) == active
                || segment
                    .path
                    .file_name()
                    .is_some_and(|name| there.iter().any(|there| there == name))
        });
        Ok(())
    }

    /// Deletes released segments, that in use only if it has so many bytes.
    fn discard(
        &self,
        mut state: MutexGuard<'_, State>,
        active_bytes_min: u64,
    ) -> Result<(), FileError> {
        let released_seq = state.released_seq;
        let mut discarded = VecDeque::new();
        while let Some(segment) = state.segments.front() {
            let in_use = state.active && state.segments.len() == 1;
            if segment.next_seq > released_seq || (in_use && segment.bytes < active_bytes_min) {
                break;
            }
            if in_use {
                state.active = false;
            }
            discarded.extend(state.segments.pop_front());
        }
        // Deleting a large file takes a while, and appends need not wait for it.
        drop(state);
        while let Some(mut segment) = discarded.pop_front() {
            if let Err(error) = self.discard_one(&mut segment) {
                discarded.push_front(segment);
                let mut state = self.shared.state();
                while let Some(segment) = discarded.pop_back() {
                    let at = state
                        .segments
                        .partition_point(|s| s.number < segment.number);
                    state.segments.insert(at, segment);
                }
                return Err(error);
            }
        }
        Ok(())
    }

    fn discard_one(&self, segment: &mut Segment) -> Result<(), FileError> {
        segment.file = None;
        segment.dirty = false;
        let layer = &self.shared.layer;
        let gone = |error: io::Error| match error.kind() {
            // Somebody was faster; that is no failure.
            io::ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        };
        let Some(aside) = &segment.set_aside else {
            let removed = layer.remove(&segment.path).or_else(gone);
            return removed.map_err(FileError::of("delete", &segment.path));
        };
        let renamed = layer.rename(&segment.path, aside).or_else(gone);
        renamed.map_err(FileError::of("set aside", &segment.path))?;
        limit_set_aside(&**layer, &self.shared.names);
        Ok(())
    }

    /// Reads frames that end above `from_seq`, those that were recovered and those that are appended, in order.
    pub fn reader(&self, from_seq: u64) -> Reader {
        Reader::new(Arc::clone(&self.shared), from_seq)
    }

    /// Waits until the frame that ends at `position`, which [`append`](Self::append) returned, would survive a power
    /// loss. Callers that wait at the same time share one fdatasync(2); one that fails is reported to all of them, and
    /// to everyone who asks for those frames later: see the module `sync`.
    pub fn sync_to(&self, position: u64) -> Result<(), super::error::SyncError> {
        super::sync::sync_to(&self.shared, position)
    }

    /// Makes it the journal of another process, as a fork does.
    #[cfg(test)]
    pub(super) fn pretend_forked(&mut self) {
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            shared.process += 1;
        }
    }

    pub fn figures(&self) -> JournalFigures {
        if self.shared.owned().is_err() {
            return JournalFigures::default();
        }
        let mut figures = super::sync::figures(&self.shared);
        let state = self.shared.state();
        figures.bytes = state.bytes();
        figures.segments = state.segments.len() as u64;
        figures.next_seq = state.next_seq;
        figures
    }
}

impl Drop for Journal {
    /// Leaves no file behind if the store has everything.
    fn drop(&mut self) {
        if self.shared.owned().is_ok() {
            // What cannot be deleted is found to be committed when the journal is opened again.
            let _ = self.discard(self.shared.state(), 0);
        }
    }
}
