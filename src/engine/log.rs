//! Where a log is and how it came there.

use crate::journal::Recovery;
use crate::queue::QueueFigures;
use crate::spans::SpanFigures;
use crate::store::{Place, Reader};
use std::path::PathBuf;

/// Where the log is now.
pub(super) struct Log {
    /// None once the engine is shutting down, since a reader keeps the file open, and while the store does not work.
    pub reader: Option<Reader>,
    /// How often it has been exchanged for another one.
    pub exchanged: u64,
    /// Why it does not work; "" where it does.
    pub closed: String,
    /// What happened to the log, and of which operations it has none; "" for nothing.
    pub trouble: String,
    pub set_aside: String,
    pub place: Place,
    pub role: Role,
    /// What happened when it was opened, and what did not work since.
    pub notes: Vec<String>,
    /// What the journal gave back when it was opened.
    pub recovery: Recovery,
    /// Where a guest keeps its records for the log's owner.
    pub spool: Option<PathBuf>,
}

/// What an owner knows of the spools beside its log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpoolFigures {
    pub spools: u64,
    pub taken_operations: u64,
    /// Operations that a guest has recorded and that cannot be read.
    pub lost_operations: u64,
}

/// How an engine came to its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The log is where it should be.
    Owner,
    /// Another process has the log; this one keeps its records in memory.
    Guest,
    /// The log cannot be opened where it should be; records are kept in memory.
    Fallback,
}

impl Role {
    pub fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Guest => "guest",
            Self::Fallback => "fallback",
        }
    }
}

impl Log {
    pub fn exchange(&mut self, reader: Reader) {
        self.reader = Some(reader);
        self.exchanged += 1;
    }
}

/// What `oplog_status()` shows.
pub struct Status {
    pub place: Place,
    pub role: Role,
    pub notes: Vec<String>,
    pub queue: QueueFigures,
    pub spans: SpanFigures,
    pub recovery: Recovery,
    pub spool: Option<PathBuf>,
    pub spools: SpoolFigures,
    pub trouble: String,
    pub set_aside: String,
    /// Operations that were accepted, here or by a guest, and cannot be read.
    pub lost_operations: u64,
}
