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

use super::error::FileError;
use super::file::{Disk, FileLayer};
use super::frame::{Scanner, Step};
use super::owner::OwnerLock;
use super::segment::Names;
use super::spans::{SpanFile, Started};
use super::Limits;
use crate::record::{Pending, Source};
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
        "{}.spool-{}-{}-{}",
        log.display(),
        crate::clock::now_us() / 1000,
        crate::process::id(),
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
    /// It has been said that its spans cannot be read.
    is_noted: bool,
}

/// What a spool has of files.
#[derive(Default)]
struct Files {
    /// The numbers of its segments.
    segments: BTreeSet<u64>,
    has_spans: bool,
}

/// Tells which of these operations the log has.
pub type InLog<'a> = dyn FnMut(&[u128]) -> Result<HashSet<u128>, String> + 'a;

/// What a look at the spools gave.
#[derive(Default)]
pub struct Found {
    pub batches: Vec<Pending>,
    /// Spans of guests that are gone: none is in the log or among the batches.
    pub interrupted: Vec<Started>,
    /// What there is to say about files that are damaged or cannot be read.
    pub notes: Vec<String>,
    /// To be deleted once all of this is committed.
    finished: Vec<PathBuf>,
    span_files: Vec<SpanFile>,
    /// Locks of spools whose guests are gone, held until then.
    _locks: Vec<OwnerLock>,
    /// How far each spool that is there has been taken in with this: its name, and the `seq` behind.
    pub positions: Vec<(String, u64)>,
}

impl Found {
    /// Deletes what is in the log now.
    pub fn discard(self) -> Result<(), FileError> {
        for path in &self.finished {
            match Disk.remove(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(FileError::of("delete", path)(error));
                }
                _ => {}
            }
        }
        self.span_files
            .into_iter()
            .try_for_each(|mut file| file.remove())
    }

    /// Adds the spans of a spool whose operations have all been read.
    fn add_spans(&mut self, spool: &Path, log: &Path, in_log: &mut InLog) -> Result<(), String> {
        let (file, left) = SpanFile::open_left(spool, log).map_err(|error| error.to_string())?;
        let ids: Vec<u128> = left.interrupted.iter().map(|span| span.id).collect();
        // A guest can be killed after it has recorded the end of a span, and before its file says so.
        let mut ended = in_log(&ids)?;
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

    /// The next operations of all spools.
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
            let names = Names::beside(&spool);
            // A guest that lives holds its lock, and goes on writing to its last segment.
            let lock = OwnerLock::take(&names.lock())
                .map_err(|error| FileError::of("lock", names.lock())(error).to_string())?;
            let last = files.segments.last().copied();
            let live_segment = last.filter(|_| lock.is_none());
            let mut read = Read::Whole;
            for number in files.segments {
                let path = names.segment(number);
                read = read_segment(&path, progress, in_log, &mut found.batches, &mut bytes)?;
                if read == Read::Part {
                    break;
                }
                if live_segment != Some(number) {
                    found.finished.push(path);
                }
            }
            if files.has_spans && lock.is_some() && read == Read::Whole {
                match found.add_spans(&spool, &log, in_log) {
                    // The next look tries again.
                    Err(error) if !progress.is_noted => {
                        progress.is_noted = true;
                        found.notes.push(format!(
                            "spans of a process that is gone cannot be taken in: {error}"
                        ));
                    }
                    _ => {}
                }
            }
            found._locks.extend(lock);
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
            let entries = match Disk.list(&directory) {
                // A directory that the log has left may be gone.
                Err(error) if place > 0 && error.kind() == io::ErrorKind::NotFound => continue,
                entries => entries.map_err(FileError::of("list", &directory))?,
            };
            for entry in entries {
                let Some((spool, _)) = entry
                    .to_str()
                    .filter(|name| is_beside(log, name))
                    .and_then(|name| name.split_once(".journal."))
                else {
                    continue;
                };
                let spool = directory.join(spool);
                let of_spool = Names::beside(&spool);
                let number = of_spool.number(&entry);
                let has_spans = of_spool.spans().file_name() == Some(&entry);
                if number.is_none() && !has_spans {
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
    log.file_name()
        .and_then(|log| log.to_str())
        .and_then(|log| name.strip_prefix(log))
        .is_some_and(|rest| rest.starts_with(".spool-"))
}

#[derive(PartialEq, Eq)]
enum Read {
    /// Everything that is in the segment now.
    Whole,
    /// Enough for one time.
    Part,
}

fn read_segment(
    path: &Path,
    progress: &mut Progress,
    in_log: &mut InLog,
    batches: &mut Vec<Pending>,
    bytes: &mut usize,
) -> Result<Read, String> {
    let file = match Disk.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Read::Whole),
        Err(error) => return Err(FileError::of("open", path)(error).to_string()),
    };
    let failed = |error| FileError::of("read", path)(error).to_string();
    let limit = file.bytes().map_err(failed)?;
    let mut scanner = Scanner::new(file, limit);
    while *bytes < TAKE_BYTES_MAX {
        match scanner.step(progress.next_seq).map_err(failed)? {
            Step::End => return Ok(Read::Whole),
            Step::Below(_) | Step::Damaged => {}
            Step::Batch((stamp, batch)) => {
                progress.next_seq = stamp.first_seq + batch.rows() as u64;
                if !progress.beyond_log {
                    if !in_log(&[stamp.ids.id(0)])?.is_empty() {
                        continue;
                    }
                    progress.beyond_log = true;
                }
                *bytes += batch.bytes();
                batches.push((stamp, batch));
            }
        }
    }
    Ok(Read::Part)
}
