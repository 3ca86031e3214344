//! What callers ask of the writer.

use crate::alerts::{Rule, RuleChange};
use crate::settings::{Setting, Value};
use crate::store::Purged;
use std::path::PathBuf;
use std::sync::mpsc::Sender;

/// A command that answers does so when it is done.
pub enum Command {
    /// Everything that is to be stored, now.
    Flush(Sender<Result<(), String>>),
    /// A setting's value, none to forget it.
    Store(Setting, Option<Value>),
    Purge(Sender<Result<Purged, String>>),
    Move(PathBuf, Sender<Result<u64, String>>),
    ChangeRule(String, Box<RuleChange>, Sender<Result<Rule, String>>),
    DropRule(String, Sender<Result<(), String>>),
    /// Looks whether the log's file is damaged, and saves what can be read if it is; says whether that was so.
    Mend(Sender<bool>),
}
