//! Spools: journals of processes that may not write the log, because another one has it.
//!
//! A guest journals into a spool of its own beside the log and never deletes from it. The log's owner takes the
//! operations in, those of guests that are gone and those of guests that still write, and deletes the segments that it
//! has committed. So a segment that has gone has been taken over, and that is all the two need to tell each other.
//!
//! A guest's running spans stand in a file beside its spool. When the guest is gone, the owner records what is left in it
//! as interrupted.
//!
//! The log remembers how far each spool has been taken in. That is stored just after the commit, and a crash in between
//! shows by the ids, which operations keep: what the log has is passed by.

mod one;
#[cfg(test)]
mod tests;

use super::error::FileError;
use super::file::{Disk, FileLayer};
use super::owner::OwnerLock;
use super::recover;
use super::segment::{log_of_spool, Names, SPOOL};
use super::spans::{SpanFile, Started};
use super::Limits;
use crate::record::{Pending, Source};
use one::Spool;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A guest's journal: small segments, since the one in use stays until the guest goes on to the next.
pub const SPOOL_LIMITS: Limits = Limits {
    segment_bytes: 4 * 1024 * 1024,
    total_bytes: 256 * 1024 * 1024,
};

/// What is taken in at a time, so that the owner's own records need not wait long.
const TAKE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A path for a new spool beside a log: what its journal is named after.
pub fn spool_beside(log: &Path) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    PathBuf::from(format!(
        "{}{SPOOL}{}-{}-{}",
        log.display(),
        crate::system::clock::now_us() / 1000,
        crate::system::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    ))
}

/// The spools beside a log, as its owner sees them: where it is, and where it was when a guest began.
pub struct Spools {
    logs: Vec<PathBuf>,
    /// By the spool's path.
    seen: BTreeMap<PathBuf, Progress>,
}

/// How far a spool has been taken in.
#[derive(Default)]
struct Progress {
    /// Everything below has been taken in, or was in the log already.
    next_seq: u64,
    /// A frame was found that the log does not have: so it has none of those behind it.
    beyond_log: bool,
    /// What was said of it last. It is looked at every few seconds, and said once.
    noted: Vec<String>,
}

/// What a spool has of files. A guest that was killed early leaves its lock file alone, which goes when it is taken.
#[derive(Default)]
struct Files {
    /// The numbers of its segments.
    segments: BTreeSet<u64>,
    has_spans: bool,
}

/// Tells which of these operations the log has.
pub type InLog<'a> = dyn FnMut(&[u128]) -> Result<HashSet<u128>, String> + 'a;

/// Why a spool was not taken in.
enum Failed {
    /// It is the spool's fault: the others are taken in.
    Spool(String),
    /// The log cannot be asked.
    Log(String),
}

/// What becomes of a segment whose operations are all committed.
enum Finished {
    Delete(PathBuf),
    /// It was damaged: kept under another name.
    SetAside(PathBuf, PathBuf),
}

/// What a look at the spools gave.
#[derive(Default)]
pub struct Found {
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
    finished: Vec<Finished>,
    span_files: Vec<SpanFile>,
    /// Locks of spools whose guests are gone, held until then.
    _locks: Vec<OwnerLock>,
    /// How far each spool that is there has been taken in with this: its name, and the `seq` behind.
    pub positions: Vec<(String, u64)>,
}

impl Found {
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
    fn add_spans(&mut self, spool: &Path, log: &Path, in_log: &mut InLog) -> Result<(), Failed> {
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

impl Spools {
    /// `positions` are what [`Found::positions`] gave last.
    pub fn beside(logs: Vec<PathBuf>, positions: &[(String, u64)]) -> Self {
        let mut seen = BTreeMap::new();
        for (name, next_seq) in positions {
            // A name is one of a spool beside the log that it begins with.
            for log in logs.iter().filter(|log| is_beside(log, name)) {
                let progress = Progress {
                    next_seq: *next_seq,
                    ..Progress::default()
                };
                seen.insert(Names::beside(log).directory.join(name), progress);
            }
        }
        Self { logs, seen }
    }

    /// The next operations of all spools. One that cannot be taken in does not keep the others out.
    ///
    /// What it gives must be committed and its positions stored before the next call. Where that fails, and after a
    /// start, begin anew with the stored positions and with nothing waiting to be committed.
    pub fn look(&mut self, in_log: &mut InLog) -> Result<Found, String> {
        let mut found = Found::default();
        let mut bytes = 0;
        let spools = self.list().map_err(|error| error.to_string())?;
        self.seen.retain(|spool, _| spools.contains_key(spool));
        for (spool, (log, files)) in spools {
            if bytes >= TAKE_BYTES_MAX {
                break;
            }
            let progress = self.seen.entry(spool.clone()).or_default();
            let taken = take_in(
                &spool, &log, &files, progress, in_log, &mut found, &mut bytes,
            );
            match taken {
                Ok(()) => {}
                Err(Failed::Log(error)) => return Err(error),
                // The next look tries again.
                Err(Failed::Spool(error)) => {
                    progress.note(error.clone(), &mut found);
                    found.failing.get_or_insert(error);
                }
            }
        }
        found.positions = self
            .seen
            .iter()
            .filter_map(|(spool, progress)| {
                Some((spool.file_name()?.to_str()?.to_owned(), progress.next_seq))
            })
            .collect();
        Ok(found)
    }

    /// The spools that have something to take in, and the places of the log that they are beside.
    fn list(&self) -> Result<BTreeMap<PathBuf, (PathBuf, Files)>, FileError> {
        let mut spools: BTreeMap<PathBuf, (PathBuf, Files)> = BTreeMap::new();
        for (place, log) in self.logs.iter().enumerate() {
            let directory = Names::beside(log).directory;
            let entries = match Disk::beside(log).list(&directory) {
                // A directory that the log has left may be gone.
                Err(error) if place > 0 && error.kind() == io::ErrorKind::NotFound => continue,
                entries => entries.map_err(FileError::of("list", &directory))?,
            };
            for entry in entries {
                let Some(spool) = entry
                    .to_str()
                    .and_then(|name| Some(name.split_once(".journal.")?.0))
                    .filter(|spool| is_beside(log, spool))
                else {
                    continue;
                };
                let spool = directory.join(spool);
                let of_spool = Names::beside(&spool);
                let number = of_spool.number(&entry);
                let has_spans = of_spool.spans().file_name() == Some(&entry);
                let is_lock = of_spool.lock().file_name() == Some(&entry);
                if number.is_none() && !has_spans && !is_lock {
                    continue;
                }
                let (_, files) = spools
                    .entry(spool)
                    .or_insert_with(|| (log.clone(), Files::default()));
                files.segments.extend(number);
                files.has_spans |= has_spans;
            }
        }
        Ok(spools)
    }
}

/// Whether a name is one of a spool beside a log.
fn is_beside(log: &Path, name: &str) -> bool {
    let log = log.file_name().and_then(|log| log.to_str());
    log.is_some() && log_of_spool(name) == log
}

impl Progress {
    fn note(&mut self, note: String, found: &mut Found) {
        if !self.noted.contains(&note) {
            self.noted.push(note.clone());
            found.notes.push(note);
        }
    }
}

/// Takes in what is new in one spool.
fn take_in(
    spool: &Path,
    log: &Path,
    files: &Files,
    progress: &mut Progress,
    in_log: &mut InLog,
    found: &mut Found,
    bytes: &mut usize,
) -> Result<(), Failed> {
    let names = Names::beside(spool);
    // A guest that lives holds its lock, and goes on writing to its last segment.
    let lock = OwnerLock::take(&names.lock(), log).map_err(|error| {
        let error = FileError::of("lock", names.lock())(error);
        Failed::Spool(format!("a spool cannot be taken in: {error}"))
    })?;
    let is_gone = lock.is_some();
    found._locks.extend(lock);
    let mut reading = Spool::new(&names, log, is_gone, progress);
    let is_read = reading.read(&files.segments, in_log, found, bytes)?;
    if files.has_spans && is_gone && is_read {
        found.add_spans(spool, log, in_log)?;
    }
    Ok(())
}

/// The name under which a damaged segment of a spool is kept: one of the log's, since there are as many spools as there
/// have been guests.
fn set_aside(log: &Path, number: u64, finished: &[Finished]) -> PathBuf {
    let names = Names::beside(log);
    let now_s = crate::system::clock::now_us() as u64 / 1_000_000;
    recover::limit_set_aside(&Disk::beside(log), &names);
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
