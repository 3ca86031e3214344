//! The durable files behind the queue: what a process that was killed had accepted is read back from here.

mod aside;
mod error;
mod frame;
#[allow(clippy::module_inception)]
mod journal;
mod reader;
mod recover;
mod segment;
mod state;
mod sync;
#[cfg(test)]
pub mod tests;

pub use aside::write_aside;
pub use error::{AppendError, OpenError, ReadError, SyncError};
pub use frame::{Frame, Scanner, Step};
pub use journal::Journal;
pub use reader::{behind, Reader};
pub use recover::Recovery;
pub use segment::{Header, HEADER_BYTES};
pub use state::{Limits, JOURNAL_BYTES_MAX};

use crate::files::{FileError, Names, OwnerLock};
use std::path::Path;

/// Takes the lock of a log's journal: its holder is the log's owner, and nobody else may open the log for writing.
pub fn take_lock(log: &Path) -> Result<OwnerLock, OpenError> {
    let path = Names::beside(log).lock();
    match OwnerLock::take(&path, log) {
        Ok(Some(lock)) => Ok(lock),
        Ok(None) => Err(OpenError::Held { lock: path }),
        Err(error) => Err(FileError::of("lock", path)(error).into()),
    }
}
