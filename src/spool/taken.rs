//! What a look at the spools gave, and what becomes of it.

use crate::files::{limit_set_aside, FileError, FileSystem, Names, OwnerLock};
use crate::record::{Pending, Source};
use crate::spans::{SpanFile, Started};
use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

/// What is taken in at a time, so that the owner's own records need not wait long.
pub(super) const TAKE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How far a spool has been taken in.
#[derive(Default)]
pub(super) struct Progress {
    /// Everything below has been taken in, or was in the log already.
    pub next_seq: u64,
    /// A frame was found that the log does not have: so it has none of those behind it.
    pub beyond_log: bool,
    /// What was said of it last. It is looked at every few seconds, and said once.
    pub noted: Vec<String>,
}

impl Progress {
    pub fn note(&mut self, note: String, taken: &mut Taken) {
        if !self.noted.contains(&note) {
            self.noted.push(note.clone());
            taken.notes.push(note);
        }
    }
}

/// Tells which of these operations the log has.
pub type InLog<'a> = dyn FnMut(&[u128]) -> Result<HashSet<u128>, InLogError> + 'a;

/// Why it cannot tell.
pub type InLogError = Box<dyn std::error::Error + Send + Sync>;

/// Why a spool was not taken in.
pub(super) enum Failed {
    /// It is the spool's fault: the others are taken in.
    Spool(String),
    /// The log cannot be asked.
    Log(InLogError),
}

/// What becomes of a segment whose operations are all committed.
pub(super) enum Finished {
    Delete(PathBuf),
    /// It was damaged: kept under another name.
    SetAside(PathBuf, PathBuf),
}

/// What a look at the spools gave.
#[derive(Default)]
pub struct Taken {
    pub batches: Vec<Pending>,
    /// Spans of guests that are gone: none is in the log or among the batches.
    pub interrupted: Vec<Started>,
    /// What there is to say about files that are damaged or cannot be read.
    pub notes: Vec<String>,
    /// Why a spool is left out this time.
    pub failing: Option<String>,
    /// Operations that a guest has recorded and that cannot be read.
    pub lost_operations: u64,
    /// What there is to do once all of this is committed.
    pub(super) finished: Vec<Finished>,
    span_files: Vec<SpanFile>,
    /// Locks of spools whose guests are gone, held until then.
    pub(super) _locks: Vec<OwnerLock>,
    /// How far each spool that is there has been taken in with this: its name, and the `seq` behind.
    pub positions: Vec<(String, u64)>,
}

impl Taken {
    /// Deletes what is in the log now. A file that cannot be deleted does not keep the others.
    pub fn discard(self) -> Result<(), FileError> {
        let mut outcome = Ok(());
        for finished in &self.finished {
            let done = match finished {
                Finished::Delete(path) => {
                    std::fs::remove_file(path).map_err(FileError::of("delete", path))
                }
                Finished::SetAside(path, aside) => {
                    std::fs::rename(path, aside).map_err(FileError::of("set aside", path))
                }
            };
            match done {
                Err(error) if error.error.kind() == io::ErrorKind::NotFound => {}
                done => outcome = outcome.and(done),
            }
        }
        for mut file in self.span_files {
            outcome = outcome.and(file.remove());
        }
        outcome
    }

    /// Adds the spans of a spool whose operations have all been read.
    pub(super) fn add_spans(
        &mut self,
        spool: &Path,
        log: &Path,
        in_log: &mut InLog,
    ) -> Result<(), Failed> {
        let (file, left) = SpanFile::open_left(spool, log).map_err(|error| {
            Failed::Spool(format!(
                "spans of a process that is gone cannot be taken in: {error}"
            ))
        })?;
        let ids: Vec<u128> = left.interrupted.iter().map(|span| span.id).collect();
        // A guest can be killed after it has recorded the end of a span, and before its file says so.
        let mut ended = in_log(&ids).map_err(Failed::Log)?;
        for (stamp, batch) in &self.batches {
            if batch.source == Source::Span {
                ended.extend((0..batch.rows()).map(|row| stamp.ids.id(row)));
            }
        }
        let interrupted = left.interrupted.into_iter();
        self.interrupted
            .extend(interrupted.filter(|span| !ended.contains(&span.id)));
        self.notes.extend(left.note);
        self.span_files.push(file);
        Ok(())
    }
}

/// The name under which a damaged segment of a spool is kept: one of the log's, since there are as many spools as there
/// have been guests.
pub(super) fn set_aside(log: &Path, number: u64, finished: &[Finished]) -> PathBuf {
    let names = Names::beside(log);
    let now_s = crate::system::clock::now_us() as u64 / 1_000_000;
    limit_set_aside(&FileSystem::beside(log), &names);
    (0..)
        .map(|attempt| names.set_aside(number, now_s, attempt))
        .find(|path| {
            let is_given = finished
                .iter()
                .any(|other| matches!(other, Finished::SetAside(_, aside) if aside == path));
            !is_given && std::fs::symlink_metadata(path).is_err()
        })
        .unwrap_or_else(|| names.set_aside(number, now_s, u64::MAX))
}
