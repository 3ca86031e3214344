//! What can go wrong with the journal, told apart where callers act on it.

use crate::files::FileError;
use std::path::PathBuf;

/// The journal belongs to the process that opened it; this one was forked from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the journal belongs to process {owner}, from which this one was forked; open the database anew here")]
pub struct Forked {
    pub owner: u32,
}

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or another journal in this one, owns it.
    #[error("the journal is in use: {} is locked", lock.display())]
    Held { lock: PathBuf },
    /// A segment has a newer format than this program knows. Nothing has been changed.
    #[error(
        "{} has journal format {version}, which a newer oplog wrote; use that version, or move the file away to go on \
         without its records",
        path.display()
    )]
    Newer { path: PathBuf, version: u32 },
    #[error(transparent)]
    File(#[from] FileError),
}

/// Why a frame is not in the journal. In each case the journal is as if it had not been asked, and goes on.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The journal has reached its limit: the store has to commit and release first.
    #[error("the journal is full: {bytes} of {limit} bytes wait to be committed")]
    Full { bytes: u64, limit: u64 },
    /// No journal of this limit can hold the frame.
    #[error(
        "these operations take {bytes} bytes, more than a journal of {limit} takes at once; record fewer in one statement"
    )]
    TooLarge { bytes: u64, limit: u64 },
    /// The stamp does not continue the log: a mistake of the caller's.
    #[error(
        "internal error: seq {given} does not follow {expected} in the journal; please report it"
    )]
    OutOfOrder { expected: u64, given: u64 },
    #[error(transparent)]
    Forked(#[from] Forked),
    /// The disk is full, say. What was written of the frame has been taken back, or will never be read.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Why it is not known that frames would survive a power loss. They may, and the store may commit them yet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SyncError {
    #[error(transparent)]
    Forked(#[from] Forked),
    /// Text, since all who share a sync are told.
    #[error("recorded, but it may not survive a power loss: {0}")]
    Failed(String),
}

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error(transparent)]
    Forked(#[from] Forked),
    #[error(transparent)]
    File(#[from] FileError),
}
