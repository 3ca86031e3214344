//! What can go wrong with the journal, told apart where callers act on it.

use crate::files::FileError;
use std::fmt;
use std::path::PathBuf;

/// The journal belongs to the process that opened it; this one was forked from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forked {
    pub owner: u32,
}

impl fmt::Display for Forked {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "the journal belongs to process {}, from which this one was forked; open the database anew here",
            self.owner
        )
    }
}

#[derive(Debug)]
pub enum OpenError {
    /// Another process, or another journal in this one, owns it.
    Held {
        lock: PathBuf,
    },
    /// A segment has a newer format than this program knows. Nothing has been changed.
    Newer {
        path: PathBuf,
        version: u32,
    },
    File(FileError),
}

impl fmt::Display for OpenError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held { lock } => {
                write!(formatter, "the journal is in use: {} is locked", lock.display())
            }
            Self::Newer { path, version } => write!(
                formatter,
                "{} has journal format {version}, which a newer oplog wrote; use that version, or move the file away \
                 to go on without its records",
                path.display()
            ),
            Self::File(error) => error.fmt(formatter),
        }
    }
}

impl From<FileError> for OpenError {
    fn from(error: FileError) -> Self {
        Self::File(error)
    }
}

/// Why a frame is not in the journal. In each case the journal is as if it had not been asked, and goes on.
#[derive(Debug)]
pub enum AppendError {
    /// The journal has reached its limit: the store has to commit and release first.
    Full {
        bytes: u64,
        limit: u64,
    },
    /// No journal of this limit can hold the frame.
    TooLarge {
        bytes: u64,
        limit: u64,
    },
    /// The stamp does not continue the log: a mistake of the caller's.
    OutOfOrder {
        expected: u64,
        given: u64,
    },
    Forked(Forked),
    /// The disk is full, say. What was written of the frame has been taken back, or will never be read.
    File(FileError),
}

impl fmt::Display for AppendError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { bytes, limit } => write!(
                formatter,
                "the journal is full: {bytes} of {limit} bytes wait to be committed"
            ),
            Self::TooLarge { bytes, limit } => write!(
                formatter,
                "these operations take {bytes} bytes, more than a journal of {limit} takes at once; record fewer in \
                 one statement"
            ),
            Self::OutOfOrder { expected, given } => write!(
                formatter,
                "internal error: seq {given} does not follow {expected} in the journal; please report it"
            ),
            Self::Forked(error) => error.fmt(formatter),
            Self::File(error) => error.fmt(formatter),
        }
    }
}

/// Why it is not known that frames would survive a power loss. They may, and the store may commit them yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyncError {
    Forked(Forked),
    Failed(String),
}

impl fmt::Display for SyncError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forked(error) => error.fmt(formatter),
            Self::Failed(error) => write!(
                formatter,
                "recorded, but it may not survive a power loss: {error}"
            ),
        }
    }
}

#[derive(Debug)]
pub enum ReadError {
    Forked(Forked),
    File(FileError),
}

impl fmt::Display for ReadError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forked(error) => error.fmt(formatter),
            Self::File(error) => error.fmt(formatter),
        }
    }
}
