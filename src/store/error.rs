//! What can go wrong with a log, told apart where callers act on it.

use crate::excerpt::excerpt;
use crate::{caller, duckdb};
use std::io;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What the log's own DuckDB says.
    #[error(transparent)]
    Engine(#[from] duckdb::Error),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Interrupted(#[from] caller::Interrupted),
    #[error("{}: {error}", path.display())]
    File {
        path: PathBuf,
        #[source]
        error: io::Error,
    },
    #[error("{} is not valid UTF-8, which DuckDB needs", .0.display())]
    NotUtf8(PathBuf),
    #[error("{} is no log of oplog", .0.display())]
    NoLog(PathBuf),
    #[error("meta.{key} is '{value}', which is no number")]
    NoNumber { key: &'static str, value: String },
    #[error("the log has no rollups")]
    NoRollups,
    #[error("the log has no table operation_log")]
    NoTable,
    #[error("the log has a column {0}, which this oplog does not know")]
    UnknownColumn(String),
    #[error("the engine gives no random id")]
    NoRandomId,
    #[error("the log says nothing of a move")]
    NoMark,
    #[error(
        "{target} is a copy of this log: its operations would be there twice; remove it, or give another path"
    )]
    Copy { target: String },
    #[error("{} is there already, and a backup replaces nothing: give another path", .0.display())]
    Occupied(PathBuf),
    #[error(
        "{} stands beside it and would be taken for a part of the backup: give another path, or move that file away",
        .0.display()
    )]
    Companion(PathBuf),
    #[error("{} is complete, and a power loss may take it yet: {error}", path.display())]
    NotSynced {
        path: PathBuf,
        #[source]
        error: io::Error,
    },
    #[error("there are {rules} rules, and {max} are the limit: drop one first")]
    TooManyRules { rules: usize, max: usize },
    #[error("history of {metrics} metrics is kept, and {max} are the limit: CALL oplog_history_drop(name) for one first", max = crate::history::NAMES_MAX)]
    TooManyHistories { metrics: usize },
    #[error("the log is in memory, which has no archive: CALL oplog_open(path) first")]
    InMemory,
    #[error("the archive's folder {} is not there: bring it back, or ask without the archive", path.display())]
    NoArchive { path: PathBuf },
    #[error("{} got {written} of {operations} operations: nothing is deleted", path.display())]
    NotArchived {
        path: PathBuf,
        operations: i64,
        written: i64,
    },
    /// A rule that cannot be as it was asked for, or is not there.
    #[error("{0}")]
    Rule(String),
    /// A retention rule in the log that is none.
    #[error("the retention rule '{}' cannot be read, and nothing is deleted by age: drop it or set it anew ({problem})", excerpt(.name))]
    StoredRule { name: String, problem: String },
}

impl Error {
    /// Whether the log's own DuckDB had too little memory.
    pub fn is_out_of_memory(&self) -> bool {
        matches!(self, Self::Engine(error) if error.kind() == duckdb::ErrorKind::OutOfMemory)
    }
}

/// What is wrong, for people.
pub type Reason = Box<dyn std::error::Error + Send + Sync>;

/// Why a log cannot be opened where it should be.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error(transparent)]
    Locked(Reason),
    /// The file is not a sound DuckDB database.
    #[error(transparent)]
    Damaged(Reason),
    /// Anything else: no permission, no space, a newer version. The file is left as it is.
    #[error(transparent)]
    Unusable(Reason),
}

impl OpenError {
    pub fn locked(reason: impl Into<Reason>) -> Self {
        Self::Locked(reason.into())
    }

    pub fn damaged(reason: impl Into<Reason>) -> Self {
        Self::Damaged(reason.into())
    }

    pub fn unusable(reason: impl Into<Reason>) -> Self {
        Self::Unusable(reason.into())
    }
}
