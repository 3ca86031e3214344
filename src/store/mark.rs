//! What a log says of itself that moves or has moved; `relocate` has the steps.

use super::error::Error;
use super::place::Place;
use super::schema;
use crate::duckdb::{Cell, Connection};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Which log this is, wherever it is: a copy has the same.
pub(super) const LOG_ID: &str = "log_id";
pub(super) const MOVING_TO: &str = "moving_to";
pub(super) const MOVED_TO: &str = "moved_to";
/// The random id of the move that one of the two above is about.
pub(super) const MOVE_ID: &str = "move_id";
/// Where the log was when it said so.
pub(super) const MOVE_FROM: &str = "move_from";
/// The operations below this have moved.
pub(super) const MOVE_BELOW: &str = "move_below_seq";
/// Operations from this `seq` on are those of a move that has not arrived. Earlier versions have the move's id here: then
/// they are those from `next_seq` on.
pub(super) const ARRIVING: &str = "arriving";
/// With the id of a move behind it: the place that it came from.
pub(super) const MOVED_FROM: &str = "moved_from:";

/// Where a log says that it went, or was going when its process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    pub target: PathBuf,
    /// None in a log of version 0.1.0.
    pub(super) id: Option<String>,
    /// Where the log was then.
    pub(super) from: Option<PathBuf>,
    pub(super) below_seq: u64,
    /// The log is emptied.
    pub is_done: bool,
}

impl Mark {
    pub(super) fn of(meta: &BTreeMap<String, String>) -> Option<Self> {
        let (target, is_done) = match (meta.get(MOVED_TO), meta.get(MOVING_TO)) {
            (Some(target), _) => (target, true),
            (None, Some(target)) => (target, false),
            (None, None) => return None,
        };
        Some(Self {
            target: PathBuf::from(target),
            id: meta.get(MOVE_ID).cloned(),
            from: meta.get(MOVE_FROM).map(PathBuf::from),
            below_seq: meta
                .get(MOVE_BELOW)
                .and_then(|text| text.parse().ok())
                .unwrap_or(u64::MAX),
            is_done,
        })
    }

    /// Where the target is, seen from a log that is `here`. A copied or renamed directory has it in the same place beside
    /// the log; there is no other for a copy, which must not write into the original's file.
    pub fn target_from(&self, here: &Path) -> Option<PathBuf> {
        let Some(from) = &self.from else {
            return Some(self.target.clone());
        };
        if from == here {
            return Some(self.target.clone());
        }
        let beside = self.target.strip_prefix(from.parent()?).ok()?;
        Some(here.parent()?.join(beside))
    }

    /// Whether a log that says this of itself has taken the marked one over. A mark of version 0.1.0 has no id: see
    /// [`Store::was_copied_to`].
    pub fn is_known_to(&self, target: &BTreeMap<String, String>) -> bool {
        self.id
            .as_ref()
            .is_some_and(|id| target.contains_key(&format!("{MOVED_FROM}{id}")))
    }

    /// Whether a log that says this of itself has left with the move of this id.
    pub fn has_left(meta: &BTreeMap<String, String>, id: &str) -> bool {
        meta.get(MOVE_ID).is_some_and(|own| own == id)
    }

    pub fn has_id(&self) -> bool {
        self.id.is_some()
    }
}

/// Brings a log that has just been opened to a state that others may see.
pub(super) fn settle(connection: &Connection, place: &Place) -> Result<(), Error> {
    let meta = schema::all_meta(connection)?;
    if meta.contains_key(ARRIVING) {
        connection.transaction(discard)?;
    }
    if *place != Place::Memory && !meta.contains_key(LOG_ID) {
        schema::set_meta(connection, LOG_ID, &random_id(connection)?)?;
    }
    Ok(())
}

/// Deletes what a move that has not arrived has left.
pub(super) fn discard(log: &Connection) -> Result<(), Error> {
    Ok(log.execute(&format!(
        "DELETE FROM operation_log
         WHERE seq >= (
             SELECT coalesce(
                 (SELECT try_cast(value AS UBIGINT) FROM meta WHERE key = '{ARRIVING}'),
                 (SELECT value::UBIGINT FROM meta WHERE key = 'next_seq')));
         DELETE FROM meta WHERE key = '{ARRIVING}'"
    ))?)
}

/// Forgets where the log went, or was going.
pub(super) fn remove_mark(log: &Connection) -> Result<(), Error> {
    Ok(log.execute(&format!(
        "DELETE FROM meta
         WHERE key IN ('{MOVING_TO}', '{MOVED_TO}', '{MOVE_ID}', '{MOVE_FROM}', '{MOVE_BELOW}')"
    ))?)
}

pub(super) fn random_id(connection: &Connection) -> Result<String, Error> {
    match connection
        .query("SELECT uuid()::VARCHAR")?
        .first()
        .map(Vec::as_slice)
    {
        Some([Cell::Text(id)]) => Ok(id.to_string()),
        _ => Err(Error::NoRandomId),
    }
}

/// The id of a move. Ids are in the order of the moves.
pub(super) fn new_move_id(connection: &Connection) -> Result<String, Error> {
    let random = random_id(connection)?;
    Ok(format!("{:016x}-{random}", crate::system::clock::now_us()))
}
