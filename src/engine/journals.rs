//! The journals of a log: taking their lock and opening them.

use super::error::Error;
use crate::files::OwnerLock;
use crate::journal::{self, Journal, Limits, Recovery};
use crate::spool::SPOOL_LIMITS;
use crate::store::{self, OpenError, Place};
use std::path::Path;

/// The lock of the journal of a log at a path, taken before the log is opened. None where it cannot be taken for want of a
/// directory or of permission: what is wrong with that shows better when the log is opened.
pub(super) fn take_lock(path: &Path) -> Result<Option<OwnerLock>, OpenError> {
    // Nothing is made beside what can be no log.
    store::check(path)?;
    match journal::take_lock(path) {
        Ok(lock) => Ok(Some(lock)),
        Err(error @ journal::OpenError::Held { .. }) => Err(OpenError::locked(error)),
        Err(_) => Ok(None),
    }
}

/// The journal beside a log in a file, with what the store has not committed of it.
pub(super) fn open_journal(
    place: &Place,
    next_seq: u64,
) -> Result<Option<(Journal, Recovery)>, Error> {
    let Some(path) = place.path() else {
        return Ok(None);
    };
    Journal::open(path, next_seq, Limits::default())
        .map(Some)
        .map_err(Error::Journal)
}

/// The journal in which a guest keeps its records for the log's owner.
pub(super) fn open_spool(path: &Path, next_seq: u64) -> Result<Option<(Journal, Recovery)>, Error> {
    let open = || Journal::open(path, next_seq, SPOOL_LIMITS);
    // A fault that passes is no reason to lose what a whole process records.
    open()
        .or_else(|_| open())
        .map(Some)
        .map_err(Error::GuestJournal)
}
