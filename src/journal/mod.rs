//! The way between the record path and the store: where an operation is accepted, gets its `seq` and waits.
//!
//! What is accepted here lives in memory until the writer has committed it; a durable form of the same queue is what
//! this room is for.

mod aside;
mod durable;
mod error;
mod file;
mod frame;
mod owner;
mod queue;
mod reader;
mod recover;
mod segment;
mod spans;
mod spool;
mod sync;
#[cfg(test)]
pub mod tests;

pub use queue::{Durability, Origin, Queue, QueueFigures, QueueHealth, QUEUE_BYTES_MAX};
pub use {
    aside::write_aside,
    durable::{Journal, Limits, JOURNAL_BYTES_MAX},
    error::OpenError,
    owner::OwnerLock,
    recover::Recovery,
    spans::{ended, read_started, started, Found, SpanFile, Started},
    spool::{spool_beside, Spools, SPOOL_LIMITS},
};
use {error::AppendError, frame::Frame, reader::Reader};

use std::path::Path;

/// Whether there is a file of spans beside a log.
pub fn has_spans(log: &Path) -> bool {
    segment::Names::beside(log).spans().exists()
}

/// Takes the lock of a log's journal: its holder is the log's owner, and nobody else may open the log for writing.
pub fn take_lock(log: &Path) -> Result<OwnerLock, OpenError> {
    let path = segment::Names::beside(log).lock();
    match OwnerLock::take(&path, log) {
        Ok(Some(lock)) => Ok(lock),
        Ok(None) => Err(OpenError::Held { lock: path }),
        Err(error) => Err(error::FileError::of("lock", path)(error).into()),
    }
}

/// Makes the files of a journal no more open than their log.
pub fn restrict_beside(log: &Path) -> std::io::Result<()> {
    let names = segment::Names::beside(log);
    for entry in std::fs::read_dir(&names.directory)?.flatten() {
        let name = entry.file_name();
        let is_ours = names.number(&name).is_some()
            || names.is_set_aside(&name)
            || names.spans().file_name() == Some(&name)
            || names.lock().file_name() == Some(&name);
        if is_ours && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            match crate::files::restrict(&entry.path(), log) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}

/// Whether files of a journal stand beside a log: segments or a file of spans, told by their first bytes.
pub fn stands_beside(log: &Path) -> bool {
    use std::io::Read;
    let names = segment::Names::beside(log);
    let Ok(listed) = std::fs::read_dir(&names.directory) else {
        return false;
    };
    listed.flatten().any(|entry| {
        let name = entry.file_name();
        let is_named = names.number(&name).is_some() || names.spans().file_name() == Some(&name);
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        let mut magic = [0; 8];
        is_named
            && is_file
            && crate::files::open_regular(&entry.path(), crate::files::Mode::Read)
                .is_ok_and(|mut file| file.read_exact(&mut magic).is_ok())
            && (&magic == segment::MAGIC || &magic == spans::MAGIC)
    })
}
