//! Group commit: callers that wait for the disk at the same time share one fdatasync(2).
//!
//! The first caller that finds nobody syncing leads: it syncs everything appended so far. Those who come meanwhile
//! wait, and when it is done either find themselves covered or one of them leads the next round, for all that have
//! gathered. No lock that appending needs is held during a sync.
//!
//! **When a sync fails**, the kernel may have dropped what it could not write and forgotten that it had to: a second
//! fdatasync would report success for data that is nowhere. So nothing is ever tried twice. Every frame that was not
//! known to be on disk when the failure came back is refused, to whoever waits for it and whoever asks later; the
//! segment takes no more frames, and the next append begins a new one, whose syncs say nothing of the old. Frames are
//! not copied over: they are still in the queue to the store, whose own commit will make them durable or fail in its
//! own right, and a copy would be a second source of the same operations.

use super::error::SyncError;
use super::state::{JournalFigures, Shared, Syncing};
use crate::files::FileError;
use crate::locks::{lock, wait};
use std::sync::MutexGuard;

fn syncing(shared: &Shared) -> MutexGuard<'_, Syncing> {
    lock(&shared.syncing)
}

pub(super) fn figures(shared: &Shared) -> JournalFigures {
    let syncing = syncing(shared);
    JournalFigures {
        synced_seq: syncing.synced_seq,
        syncs: syncing.syncs,
        failed_syncs: syncing.failed_syncs,
        ..JournalFigures::default()
    }
}

/// Waits until the frame that ends at `position` would survive a power loss, and with it all before that no call has
/// been refused for.
pub(super) fn sync_to(shared: &Shared, position: u64) -> Result<(), SyncError> {
    shared.owned().map_err(SyncError::Forked)?;
    let mut guard = syncing(shared);
    let mut has_led = false;
    loop {
        if let Some(error) = guard.failure(position) {
            return Err(SyncError::Failed(error.to_owned()));
        }
        if guard.synced_seq >= position {
            return Ok(());
        }
        if has_led {
            // It synced all there is.
            let error = format!("internal error: seq {position} has not been appended");
            return Err(SyncError::Failed(error));
        }
        if guard.led {
            guard = wait(&shared.synced, guard);
        } else {
            guard.led = true;
            drop(guard);
            Leader { shared }.sync();
            has_led = true;
            guard = syncing(shared);
        }
    }
}

/// The caller whose turn it is. Its end lets the next one lead, however it comes about.
struct Leader<'a> {
    shared: &'a Shared,
}

impl Leader<'_> {
    fn sync(self) {
        match self.sync_files() {
            Ok(target) => {
                let mut guard = syncing(self.shared);
                guard.synced_seq = guard.synced_seq.max(target);
                guard.syncs += 1;
            }
            Err(error) => {
                let doubtful = self.give_up();
                syncing(self.shared).fail(doubtful, error.to_string());
            }
        }
    }

    /// Syncs what has been appended so far; returns the `seq` behind it.
    fn sync_files(&self) -> Result<u64, FileError> {
        let mut state = self.shared.state();
        let target = state.next_seq;
        let directory = std::mem::take(&mut state.directory_dirty);
        let mut files = Vec::new();
        let active = state.segments.back().map(|segment| segment.number);
        let active = active.filter(|_| state.active);
        for segment in state.segments.iter_mut().filter(|segment| segment.dirty) {
            segment.dirty = false;
            // Nothing more comes into a segment that is not in use: this is the last time it is needed open.
            let file = if active == Some(segment.number) {
                segment.file.clone()
            } else {
                segment.file.take()
            };
            files.extend(file.map(|file| (file, segment.path.clone())));
        }
        drop(state);
        for (file, path) in files {
            file.sync().map_err(FileError::of("sync", path))?;
        }
        if directory {
            let path = &self.shared.names.directory;
            let synced = self.shared.layer.sync_directory(path);
            synced.map_err(FileError::of("sync", path))?;
        }
        Ok(target)
    }

    /// After a failure: whatever has been appended by now is in doubt, and what comes goes into a new file. Returns the
    /// `seq` behind what is in doubt.
    fn give_up(&self) -> u64 {
        let mut state = self.shared.state();
        state.active = false;
        for segment in &mut state.segments {
            segment.dirty = false;
            segment.file = None;
        }
        state.next_seq
    }
}

impl Drop for Leader<'_> {
    fn drop(&mut self) {
        syncing(self.shared).led = false;
        self.shared.synced.notify_all();
    }
}
