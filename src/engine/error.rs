//! What an engine cannot do, and why. The SQL functions and the server make text of it.

use super::pulse::HUNG_AFTER;
use crate::calendar::format_time;
use crate::record::{format_id, Problem};
use crate::{caller, files, journal, queue, spans, spool, store};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Open(#[from] store::OpenError),
    #[error(transparent)]
    Queue(#[from] queue::Error),
    #[error("its journal cannot be used: {0}")]
    Journal(#[source] journal::OpenError),
    #[error("records cannot be kept for the log's owner; they end with this process ({0})")]
    GuestJournal(#[source] journal::OpenError),
    #[error(transparent)]
    Spans(#[from] spans::Error),
    /// What goes on without.
    #[error("the file of spans cannot be used; spans are lost with the process ({0})")]
    SpanFile(#[source] Box<Error>),
    #[error(transparent)]
    OpenSpans(journal::OpenError),
    #[error(transparent)]
    ReadJournal(#[from] journal::ReadError),
    #[error(transparent)]
    Spool(#[from] spool::Error),
    #[error(transparent)]
    File(#[from] files::FileError),
    #[error(transparent)]
    Interrupted(#[from] caller::Interrupted),
    #[error(
        "this process was forked from process {owner}, which the log belongs to; open the database anew here"
    )]
    Forked { owner: u32 },
    #[error("the writer has stopped; FROM oplog_status() says why")]
    Stopped,
    #[error(
        "the writer has not moved for {} s: it waits for a file or a disk, and goes on when that answers; FROM \
         oplog_status() shows how the log is",
        HUNG_AFTER.as_secs()
    )]
    Hangs,
    /// Why the store is closed, for all who ask until it is open again.
    #[error("{reason}")]
    Closed { reason: String },
    #[error("what waits cannot be committed; FROM oplog_status() says why")]
    NotCommitted,
    /// An answer would lack the newest operations.
    #[error("{error}; {}", missing(*.since_us))]
    Missing {
        #[source]
        error: Box<Error>,
        /// `i64::MIN` where that is not known.
        since_us: i64,
    },
    #[error(
        "the log has moved {times} times while this was asked: ask again when it stays where it is"
    )]
    MovedMeanwhile { times: usize },
    #[error("the log is already in {}", path.display())]
    AlreadyThere { path: PathBuf },
    #[error("{} is the log of another database in this process; give another path", path.display())]
    Taken { path: PathBuf },
    #[error("a backup of this log is being written already: wait for its end")]
    BacksUp,
    #[error("the log belongs to another process, and what is here is only what this one has recorded: call it there")]
    NotOwner,
    #[error("{log} is on its way to {}, which is in use elsewhere: try again when that is closed", target.display())]
    OnItsWay { log: String, target: PathBuf },
    /// Whoever asked for the move has given up.
    #[error("{error}; the log moves on, FROM oplog_status() shows where it is")]
    MovesOn {
        #[source]
        error: Box<Error>,
    },
    #[error(
        "id is '{}': no span of this id is running; give what oplog_start returned, once (FROM oplog_active() lists what \
         runs)",
        format_id(*.id)
    )]
    NoSpan { id: u128 },
    #[error(transparent)]
    Problem(#[from] Problem),
    #[error("rule {name}: {error}")]
    Rule {
        name: String,
        #[source]
        error: Box<Error>,
    },
    #[error(
        "the alert rules take more than {} s: give those of long periods a shorter one, or patterns that fewer operations \
         match ({error})",
        limit.as_secs()
    )]
    AlertsTakeLong {
        limit: Duration,
        #[source]
        error: Box<Error>,
    },
    #[error("a server listens on {address} already, with other parameters: CALL oplog_serve_stop() first")]
    Serves { address: SocketAddr },
    #[error("{0}")]
    Serve(String),
    #[error("oplog: cannot start the writer thread: {0}")]
    Thread(#[source] io::Error),
}

impl Error {
    /// Whether the log's own DuckDB had too little memory.
    pub fn is_out_of_memory(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_out_of_memory())
    }
}

/// What a question is told that would be answered without the newest operations.
fn missing(since_us: i64) -> String {
    if since_us == i64::MIN {
        return "it is not known how old the operations are that wait for it".into();
    }
    let since = format_time(since_us);
    format!("operations from {since} on are missing, and oplog_operations(until := '{since}') is about those before")
}

/// Text for whoever has asked.
impl From<Error> for String {
    fn from(error: Error) -> Self {
        error.to_string()
    }
}
