//! The spools beside a log, as its owner sees them.

use super::error::Error;
use super::one::Spool;
use super::taken::{Failed, InLog, Progress, Taken, TAKE_BYTES_MAX};
use crate::files::{log_of_spool, FileError, FileLayer, FileSystem, Names, OwnerLock};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

/// Those beside the place where the log is, and beside those where it was when a guest began.
pub struct Spools {
    logs: Vec<PathBuf>,
    /// By the spool's path.
    seen: BTreeMap<PathBuf, Progress>,
}

/// What a spool has of files. A guest that was killed early leaves its lock file alone, which goes when it is taken.
#[derive(Default)]
struct Files {
    /// The numbers of its segments.
    segments: BTreeSet<u64>,
    has_spans: bool,
}

impl Spools {
    /// `positions` are what [`Taken::positions`] gave last.
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
    pub fn look(&mut self, in_log: &mut InLog) -> Result<Taken, Error> {
        let mut taken = Taken::default();
        let mut bytes = 0;
        let spools = self.list()?;
        self.seen.retain(|spool, _| spools.contains_key(spool));
        for (spool, (log, files)) in spools {
            if bytes >= TAKE_BYTES_MAX {
                break;
            }
            let progress = self.seen.entry(spool.clone()).or_default();
            let outcome = take_in(
                &spool, &log, &files, progress, in_log, &mut taken, &mut bytes,
            );
            match outcome {
                Ok(()) => {}
                Err(Failed::Log(error)) => return Err(Error::Log(error)),
                // The next look tries again.
                Err(Failed::Spool(error)) => {
                    progress.note(error.clone(), &mut taken);
                    taken.failing.get_or_insert(error);
                }
            }
        }
        taken.positions = self
            .seen
            .iter()
            .filter_map(|(spool, progress)| {
                Some((spool.file_name()?.to_str()?.to_owned(), progress.next_seq))
            })
            .collect();
        Ok(taken)
    }

    /// The spools that have something to take in, and the places of the log that they are beside.
    fn list(&self) -> Result<BTreeMap<PathBuf, (PathBuf, Files)>, FileError> {
        let mut spools: BTreeMap<PathBuf, (PathBuf, Files)> = BTreeMap::new();
        for (place, log) in self.logs.iter().enumerate() {
            let directory = Names::beside(log).directory;
            let entries = match FileSystem::beside(log).list(&directory) {
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

/// Takes in what is new in one spool.
fn take_in(
    spool: &Path,
    log: &Path,
    files: &Files,
    progress: &mut Progress,
    in_log: &mut InLog,
    taken: &mut Taken,
    bytes: &mut usize,
) -> Result<(), Failed> {
    let names = Names::beside(spool);
    // A guest that lives holds its lock, and goes on writing to its last segment.
    let lock = OwnerLock::take(&names.lock(), log).map_err(|error| {
        let error = FileError::of("lock", names.lock())(error);
        Failed::Spool(format!("a spool cannot be taken in: {error}"))
    })?;
    let is_gone = lock.is_some();
    taken._locks.extend(lock);
    let mut reading = Spool::new(&names, log, is_gone, progress);
    let is_read = reading.read(&files.segments, in_log, taken, bytes)?;
    if files.has_spans && is_gone && is_read {
        taken.add_spans(spool, log, in_log)?;
    }
    Ok(())
}
