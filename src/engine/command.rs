//! What callers ask of the writer.

use super::error::Error;
use crate::alerts::{Rule, RuleChange};
use crate::retention::{RetentionChange, RetentionRule};
use crate::settings::{Setting, Value};
use crate::store::{Archive, Purged};
use std::path::PathBuf;
use std::sync::mpsc::Sender;

/// A command that answers does so when it is done.
pub enum Command {
    /// Everything that is to be stored, now.
    Flush(Sender<Result<(), Error>>),
    /// A setting's value, none to forget it.
    Store(Setting, Option<Value>),
    /// Runs retention; `force` by the wall clock, whatever is known of it.
    Purge {
        force: bool,
        reply: Sender<Result<Purged, Error>>,
    },
    Move(PathBuf, Sender<Result<u64, Error>>),
    ChangeRule(String, Box<RuleChange>, Sender<Result<Rule, Error>>),
    DropRule(String, Sender<Result<(), Error>>),
    ChangeRetentionRule(
        String,
        RetentionChange,
        Sender<Result<RetentionRule, Error>>,
    ),
    DropRetentionRule(String, Sender<Result<(), Error>>),
    /// Has operations archived before retention deletes them, or no longer.
    SetArchive(Option<Archive>, Sender<Result<(), Error>>),
    /// Has a metric sampled.
    KeepHistory(String, Sender<Result<(), Error>>),
    /// Samples it no longer; how many samples of it went, none where it was not named.
    DropHistory(String, Sender<Result<Option<u64>, Error>>),
    /// Looks whether the log's file is damaged, and saves what can be read if it is; says whether that was so.
    Mend(Sender<bool>),
}
