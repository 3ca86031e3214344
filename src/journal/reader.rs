//! Reading the journal, while it grows if need be.

use super::error::ReadError;
use super::frame::{Scanner, Step};
use super::state::Shared;
use crate::files::{FileError, LogFile};
use crate::record::{part, Pending};
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// Goes through the frames of a journal in the order of `seq`, each once.
///
/// It follows the journal: when [`read`](Self::read) gives none, everything that was completely appended by then has
/// been read, and a later call goes on with what has come since. It reads with files of its own and holds the journal's
/// lock only to learn how far it may read. A frame is decoded when it is read; besides it a reader takes a quarter of
/// a megabyte.
///
/// One thread at a time uses it. It may outlive the journal, and then reads what is left of the files.
pub struct Reader {
    shared: Arc<Shared>,
    /// Frames that end at or below are passed by.
    next_seq: u64,
    current: Option<(u64, Scanner)>,
    lost: Vec<Range<u64>>,
}

/// A segment to read.
struct Place {
    number: u64,
    skipped: Range<u64>,
    path: PathBuf,
    file: Option<Arc<dyn LogFile>>,
    end: u64,
}

/// What a segment is now.
struct Progress {
    end: u64,
    next_seq: u64,
    /// Nothing is appended to it any more.
    closed: bool,
}

/// What of a batch begins at or above a `seq`. The store commits a large batch in parts, so it can have some of one.
pub fn behind(pending: Pending, seq: u64) -> Option<Pending> {
    let (stamp, batch) = &pending;
    let stored = usize::try_from(seq.saturating_sub(stamp.first_seq)).ok()?;
    match stored {
        0 => Some(pending),
        _ => (stored < batch.rows()).then(|| part(&pending, stored..batch.rows())),
    }
}

impl Reader {
    pub(super) fn new(shared: Arc<Shared>, from_seq: u64) -> Self {
        Self {
            shared,
            next_seq: from_seq,
            current: None,
            lost: Vec::new(),
        }
    }

    /// The `seq` behind the last frame that was read or skipped.
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// Passes by frames that end at or below `seq`: somebody has them from elsewhere.
    pub fn skip_to(&mut self, seq: u64) {
        self.next_seq = self.next_seq.max(seq);
    }

    /// `seq` that should have been there and cannot be read: frames damaged on disk.
    pub fn lost(&self) -> &[Range<u64>] {
        &self.lost
    }

    /// The next frame; none if there is no more now. After an error the same place is tried again.
    pub fn read(&mut self) -> Result<Option<Pending>, ReadError> {
        self.shared.owned().map_err(ReadError::Forked)?;
        loop {
            let Some((number, scanner)) = &mut self.current else {
                if self.open_next()? {
                    continue;
                }
                return Ok(None);
            };
            let number = *number;
            let step = scanner.step(self.next_seq).map_err(|error| {
                let path = self.shared.names.segment(number);
                ReadError::File(FileError::of("read", path)(error))
            })?;
            match step {
                Step::Batch(pending) => {
                    if let Some((stamp, batch)) = behind(pending, self.next_seq) {
                        self.note_lost(stamp.first_seq);
                        self.next_seq = stamp.first_seq + batch.rows() as u64;
                        return Ok(Some((stamp, batch)));
                    }
                }
                // What is missing shows when the next frame comes.
                Step::Below(_) | Step::Damaged(_) => {}
                Step::End => {
                    let limit = scanner.limit();
                    match self.progress(number) {
                        Some(now) if now.end > limit => {
                            if let Some((_, scanner)) = &mut self.current {
                                scanner.set_limit(now.end);
                            }
                        }
                        Some(now) => {
                            self.note_lost(now.next_seq);
                            self.skip_to(now.next_seq);
                            if !now.closed {
                                return Ok(None);
                            }
                            self.current = None;
                        }
                        None => self.current = None,
                    }
                }
            }
        }
    }

    fn note_lost(&mut self, until: u64) {
        if until > self.next_seq {
            self.lost.push(self.next_seq..until);
        }
    }

    /// Opens the segment with the next frame; false if there is none yet.
    fn open_next(&mut self) -> Result<bool, ReadError> {
        while let Some(found) = self.find() {
            let layer = &self.shared.layer;
            let opened = match found.file {
                Some(file) => Ok(file),
                None => layer.open(&found.path),
            };
            match opened {
                Ok(file) => {
                    self.note_lost(found.skipped.start);
                    self.skip_to(found.skipped.end);
                    self.current = Some((found.number, Scanner::new(file, found.end)));
                    return Ok(true);
                }
                // Released in the meantime: then it is not found again.
                Err(error)
                    if error.kind() == io::ErrorKind::NotFound
                        && self.progress(found.number).is_none() => {}
                Err(error) => {
                    return Err(ReadError::File(FileError::of("open", found.path)(error)))
                }
            }
        }
        Ok(false)
    }

    fn find(&mut self) -> Option<Place> {
        let shared = Arc::clone(&self.shared);
        let state = shared.state();
        self.skip_to(state.released_seq);
        state
            .segments
            .iter()
            .find(|segment| segment.next_seq > self.next_seq)
            .map(|segment| Place {
                number: segment.number,
                skipped: segment.skipped.clone(),
                path: segment.path.clone(),
                file: segment.file.clone(),
                end: segment.end,
            })
    }

    fn progress(&self, number: u64) -> Option<Progress> {
        let state = self.shared.state();
        let last = state.segments.back().map(|segment| segment.number);
        state
            .segments
            .iter()
            .find(|segment| segment.number == number)
            .map(|segment| Progress {
                end: segment.end,
                next_seq: segment.next_seq,
                closed: !state.active || last != Some(number),
            })
    }
}
