//! Why the queue does not take operations, or does not get them committed.

use crate::caller::Interrupted;
use crate::journal::{AppendError, ReadError, SyncError};
use std::fmt;
use std::time::Duration;

/// What a caller has waited for in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    Queue,
    Journal,
}

impl fmt::Display for Room {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Queue => "the queue",
            Self::Journal => "the journal",
        })
    }
}

/// What the writer said last of a commit is text: all who wait for it are told.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the log is closed: {reason}")]
    Stopped { reason: String },
    #[error("{room} is full and the writer makes no room{}", last(.last_error))]
    Full { room: Room, last_error: String },
    #[error(transparent)]
    Append(#[from] AppendError),
    /// Accepted, and perhaps not on disk.
    #[error(transparent)]
    Sync(#[from] SyncError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("what was recorded last cannot be committed: {reason}")]
    NotCommitted { reason: String },
    #[error("what was recorded last is not committed: the writer has been busy for {} seconds", since.as_secs())]
    Busy { since: Duration },
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

fn last(error: &str) -> String {
    if error.is_empty() {
        String::new()
    } else {
        format!("; its last error: {error}")
    }
}
