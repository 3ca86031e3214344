//! Moving a log to another file, so that a crash at any step leaves one whole log.
//!
//! 1. The target gets the operations that are committed, part by part, behind those that it has. Nobody sees them yet, and
//!    what is there when the target is opened again was left by a move that was cut short: it is deleted
//!    (`arriving` in `meta`).
//! 2. The old log says where it is going, in `moving_to` with the random id of this move.
//! 3. One transaction of the target takes the last operations and everything else, raises `next_seq`, and remembers the
//!    move's id with the old place (`moved_from:id`). **This commit is the move.**
//! 4. The old log is emptied and says where it went (`moved_to`).
//!
//! Whoever finds `moving_to` or `moved_to` in a log follows it only if the target knows the id: that is how a move that
//! was cut short before step 3 is told from one that was cut short behind it, and how a path that somebody has written
//! into a file leads nowhere.

use super::attach::{open_beside, open_beside_again, spill_beside};
use super::beside::restrict;
use super::error::{Error, OpenError};
use super::mark::{
    discard, new_move_id, random_id, remove_mark, Mark, ARRIVING, LOG_ID, MOVED_FROM, MOVED_TO,
    MOVE_BELOW, MOVE_FROM, MOVE_ID, MOVING_TO,
};
use super::place::Place;
use super::rollup;
use super::schema;
use super::store::Store;
use crate::duckdb::{Cell, Connection};
use std::path::{Path, PathBuf};

const TAKE_OVER: &str = include_str!("../../sql/move/take_over.sql");
const EMPTY: &str = include_str!("../../sql/move/empty.sql");

/// Places of the past that a log remembers; its guests may be at the newest of them.
const PLACES_MAX: usize = 8;

/// A move that is under way: what of the old log the target has already.
pub struct Copying {
    id: String,
    /// The `seq` that is to be the first, and what it becomes.
    first_seq: u64,
    becomes: u64,
    /// Everything below has been copied.
    below_seq: u64,
    /// The target's before the move.
    next_seq: u64,
    /// Operations that the target has already.
    overlap: u64,
    /// The log has moved away from the target before: what was in force there then is not any more.
    comes_back: bool,
}

impl Copying {
    /// Operations of this log that the target had before: they are not there twice.
    pub fn overlap(&self) -> u64 {
        self.overlap
    }

    fn renumbered(&self) -> String {
        // Unsigned: the order of the two matters.
        format!("seq - {} + {}", self.first_seq, self.becomes)
    }
}

impl Store {
    /// Opens the log that this one is to move to, or that it has moved to, in the same instance.
    pub fn open_beside(&self, path: &Path) -> Result<Store, OpenError> {
        let log = open_beside(&self.instance, path)?;
        if let Some(here) = self.place.path() {
            restrict(path, here)
                .map_err(|error| OpenError::unusable(format!("{}: {error}", path.display())))?;
        }
        Ok(log)
    }

    /// Closes a log whose instance has another one open.
    pub fn detach(self) -> Result<(), Error> {
        let Self {
            connection,
            instance,
            catalog,
            place,
            hold,
            ..
        } = self;
        let mut databases = vec![catalog.clone()];
        let mut folded = Ok(());
        if place == Place::Memory {
            // The tables that are full have databases of their own.
            let full = connection.query(&format!(
                "SELECT database_name FROM duckdb_databases()
                 WHERE starts_with(database_name, '{catalog}_')"
            ))?;
            databases.extend(full.iter().filter_map(|row| match row.as_slice() {
                [Cell::Text(name)] => Some(name.to_string()),
                _ => None,
            }));
        } else {
            // What is left beside a log that is closed is nothing.
            folded = connection.execute(&format!("CHECKPOINT {catalog}"));
        }
        // The log's own connection is of no use after a checkpoint that failed, and a log that stayed open would be in the
        // way of a move back.
        drop(connection);
        let other = instance.connect()?;
        for database in databases {
            other.execute(&format!("DETACH {database}"))?;
        }
        drop(hold);
        Ok(folded?)
    }

    pub fn mark(&self) -> Result<Option<Mark>, Error> {
        Ok(Mark::of(&schema::all_meta(&self.connection)?))
    }

    /// Goes on with this log, wherever it was going. One that has moved away and is gone from there begins a life of its
    /// own; its numbers go on, since its journal may have files that the old ones tell from new ones.
    pub fn forget_mark(&self, mark: &Mark) -> Result<(), Error> {
        self.connection.transaction(|log| {
            remove_mark(log)?;
            if mark.is_done {
                log.execute(&format!(
                    "DELETE FROM meta WHERE starts_with(key, '{MOVED_FROM}')"
                ))?;
                schema::set_meta(log, LOG_ID, &random_id(log)?)?;
            }
            Ok(())
        })
    }

    /// Whether this log has taken over the marked one.
    pub fn knows(&self, mark: &Mark) -> Result<bool, Error> {
        Ok(mark.is_known_to(&schema::all_meta(&self.connection)?))
    }

    /// The places that this log has had, with the ids of the moves from there: the newest last.
    pub fn moved_from(&self) -> Result<Vec<(String, PathBuf)>, Error> {
        Ok(schema::all_meta(&self.connection)?
            .into_iter()
            .filter_map(|(key, path)| {
                let id = key.strip_prefix(MOVED_FROM)?;
                Some((id.to_owned(), PathBuf::from(path)))
            })
            .collect())
    }

    /// Whether nothing is in the log that another one would have to take over.
    pub fn is_bare(&self) -> Result<bool, Error> {
        let rows = self.count(
            "SELECT (SELECT count(*) FROM operation_log) + (SELECT count(*) FROM metric_values)
                 + (SELECT count(*) FROM rollup_keys) + (SELECT count(*) FROM history_1m)
                 + (SELECT count(*) FROM history_1h)",
        )?;
        Ok(rows == 0)
    }

    /// Whether the target has what version 0.1.0 copied there. It kept the old log's totals, and with them the moments at
    /// which they began, to the microsecond: nobody else knows these.
    pub fn was_copied_to(&self, target: &Store) -> Result<bool, Error> {
        let (old, new) = (&self.catalog, &target.catalog);
        let shared = self.count(&format!(
            "SELECT count(*) FROM {old}.metric_values AS ours JOIN {new}.metric_values AS theirs
                 USING (family, labels, part, value) WHERE part = 'created'"
        ))?;
        Ok(shared > 0)
    }

    /// Begins a move to the target; nothing is changed yet.
    pub fn begin_move(&self, target: &Store) -> Result<Copying, Error> {
        let (ours, theirs) = (
            schema::meta(&self.connection, LOG_ID)?,
            schema::meta(&target.connection, LOG_ID)?,
        );
        if ours.is_some() && ours == theirs {
            return Err(Error::Copy {
                target: target.name(),
            });
        }
        let next_seq = target.next_seq()?;
        let own_next_seq = self.next_seq()?;
        let first_seq = self.count(&format!(
            "SELECT coalesce(min(seq), {own_next_seq}) FROM operation_log"
        ))?;
        let overlap = self.count(&format!(
            "SELECT count(*) FROM {}.operation_log AS ours
                 SEMI JOIN {}.operation_log AS theirs USING (id)",
            self.catalog, target.catalog
        ))?;
        let becomes = if target.operations()? > 0 {
            next_seq
        } else {
            // A log without operations takes the numbers as they are, also where it had operations once, as one has that
            // its log comes back to: then they are the same. The next number is one that it has not given out yet.
            first_seq + next_seq.saturating_sub(own_next_seq)
        };
        Ok(Copying {
            id: new_move_id(&self.connection)?,
            first_seq,
            becomes,
            below_seq: first_seq,
            next_seq,
            overlap,
            comes_back: target.mark()?.is_some() && target.is_bare()?,
        })
    }

    /// Copies some of the operations that are committed; returns whether there are more. The log may grow meanwhile.
    pub fn copy_part(
        &self,
        target: &Store,
        copying: &mut Copying,
        rows_max: u64,
    ) -> Result<bool, Error> {
        let next_seq = self.next_seq()?;
        let until = next_seq.min(copying.below_seq.saturating_add(rows_max));
        // Where the target has some of them already, the numbers follow from which: those go at once, at the end.
        if copying.overlap > 0 || until <= copying.below_seq {
            return Ok(false);
        }
        target.connection.transaction(|new| {
            schema::set_meta(new, ARRIVING, &copying.becomes.to_string())?;
            self.copy_range(new, copying, until)
        })?;
        copying.below_seq = until;
        Ok(until < next_seq)
    }

    fn copy_range(&self, new: &Connection, copying: &Copying, until: u64) -> Result<(), Error> {
        Ok(new.execute(&format!(
            "INSERT INTO operation_log SELECT * REPLACE ({} AS seq) FROM {}.operation_log
             WHERE seq >= {} AND seq < {until}",
            copying.renumbered(),
            self.catalog,
            copying.below_seq
        ))?)
    }

    /// Step 2: says where the log is going.
    pub fn intend(&self, target: &Store, copying: &Copying) -> Result<(), Error> {
        if self.place == Place::Memory {
            return Ok(());
        }
        let below_seq = self.next_seq()?.to_string();
        self.connection.transaction(|log| {
            remove_mark(log)?;
            schema::set_meta(log, MOVING_TO, &target.name())?;
            self.set_move(log, &copying.id, &below_seq)
        })
    }

    fn set_move(&self, log: &Connection, id: &str, below_seq: &str) -> Result<(), Error> {
        schema::set_meta(log, MOVE_ID, id)?;
        schema::set_meta(log, MOVE_FROM, &self.name())?;
        schema::set_meta(log, MOVE_BELOW, below_seq)
    }

    /// Step 3: the target takes over everything that it does not have yet. Nothing may be committed to this log from now
    /// on. Returns how many operations have moved in all, and the `seq` of the next one there.
    pub fn hand_over(&self, target: &Store, copying: &Copying) -> Result<(u64, u64), Error> {
        let old = &self.catalog;
        let own_next_seq = self.next_seq()?;
        let next_seq = target.next_seq()?;
        let moved = self.operations()?;
        let has_rollups = self.has_rollups()?;
        target.connection.transaction(|new| {
            if copying.comes_back {
                new.execute("DELETE FROM settings; DELETE FROM retention_rules")?;
            }
            remove_mark(new)?;
            let next_seq = if copying.overlap > 0 {
                new.execute(&format!(
                    "INSERT INTO operation_log SELECT * REPLACE (
                         (row_number() OVER (ORDER BY seq) + {})::UBIGINT AS seq)
                     FROM {old}.operation_log AS theirs ANTI JOIN operation_log AS ours USING (id)",
                    next_seq - 1
                ))?;
                next_seq + moved - copying.overlap
            } else {
                self.copy_range(new, copying, own_next_seq)?;
                own_next_seq - copying.first_seq + copying.becomes
            };
            new.execute(&TAKE_OVER.replace("{old}", old))?;
            if self.place != Place::Memory {
                schema::set_meta(new, &format!("{MOVED_FROM}{}", copying.id), &self.name())?;
            }
            if copying.overlap > 0 || !has_rollups {
                rollup::leave_behind(new, old, copying.becomes)?;
            } else {
                rollup::take_over(new, old, next_seq)?;
            }
            forget_places(new, &target.name())?;
            new.execute(&format!("DELETE FROM meta WHERE key = '{ARRIVING}'"))?;
            schema::set_meta(new, "next_seq", &next_seq.to_string())?;
            Ok((moved, next_seq))
        })
    }

    /// Opens the target of a move anew that was open a moment ago, in the instance of this log.
    pub fn open_target_again(&self, path: &Path) -> Result<Store, OpenError> {
        open_beside_again(&self.instance, path)
    }

    /// Whether step 3 of a move to this log has been committed.
    pub fn has_taken_over(&self, copying: &Copying) -> Result<bool, Error> {
        // A log that was in memory leaves no id.
        Ok(self.next_seq()? > copying.next_seq
            || schema::meta(&self.connection, &format!("{MOVED_FROM}{}", copying.id))?.is_some())
    }

    /// How many operations are in the log.
    pub fn operations(&self) -> Result<u64, Error> {
        self.count("SELECT count(*) FROM operation_log")
    }

    /// Takes back what a move has done that does not come to its end.
    pub fn give_up_move(&self, target: &Store) -> Result<(), Error> {
        let log = self
            .connection
            .transaction(|log| match Mark::of(&schema::all_meta(log)?) {
                Some(mark) if !mark.is_done => remove_mark(log),
                _ => Ok(()),
            });
        log.and(target.connection.transaction(discard))
    }

    /// Step 4: empties a log that another one has taken over.
    pub fn empty(&self, target: &Path) -> Result<(), Error> {
        if self.place == Place::Memory {
            return Ok(());
        }
        self.connection.transaction(|log| {
            let Some(mark) = Mark::of(&schema::all_meta(log)?) else {
                return Err(Error::NoMark);
            };
            log.execute(&format!(
                "DELETE FROM operation_log WHERE seq < {}",
                mark.below_seq
            ))?;
            log.execute(EMPTY)?;
            rollup::empty(log)?;
            remove_mark(log)?;
            schema::set_meta(log, MOVED_TO, &target.to_string_lossy())?;
            if let Some(id) = &mark.id {
                self.set_move(log, id, &mark.below_seq.to_string())?;
            }
            Ok(())
        })
    }

    /// Gives the mark of version 0.1.0 the form that marks have now.
    pub fn adopt(&self, target: &Store) -> Result<(), Error> {
        let id = new_move_id(&self.connection)?;
        schema::set_meta(
            &target.connection,
            &format!("{MOVED_FROM}{id}"),
            &self.name(),
        )?;
        let next_seq = self.next_seq()?.to_string();
        self.connection.transaction(|log| {
            log.execute(EMPTY)?;
            self.set_move(log, &id, &next_seq)
        })
    }

    /// Has large questions spill beside the log from now on, if none has spilled yet.
    pub fn spill_beside(&self) {
        let _ = spill_beside(&self.connection, &self.place);
    }

    fn name(&self) -> String {
        match &self.place {
            Place::Memory => "memory".into(),
            Place::File(path) => path.to_string_lossy().into_owned(),
        }
    }
}

/// Keeps the newest places, and not the one where the log is now.
fn forget_places(log: &Connection, here: &str) -> Result<(), Error> {
    let statement = log.prepare(&format!(
        "DELETE FROM meta WHERE starts_with(key, '{MOVED_FROM}') AND (value = $here OR key NOT IN (
             SELECT key FROM meta WHERE starts_with(key, '{MOVED_FROM}') AND value <> $here
             ORDER BY key DESC LIMIT {PLACES_MAX}))"
    ))?;
    statement.bind_text("here", here)?;
    statement.execute()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn meta(rows: &[(&str, &str)]) -> BTreeMap<String, String> {
        rows.iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn a_move_takes_every_table_of_the_schema() {
        let schema = [
            include_str!("../../sql/schema/0001_operation_log.sql"),
            include_str!("../../sql/schema/0002_retention_runs.sql"),
            include_str!("../../sql/schema/0003_spools.sql"),
            include_str!("../../sql/schema/0004_metrics.sql"),
            include_str!("../../sql/schema/0005_alert_rules.sql"),
            include_str!("../../sql/schema/0006_no_keys.sql"),
            include_str!("../../sql/schema/0007_rollups.sql"),
            include_str!("../../sql/schema/0008_retention_rules.sql"),
            include_str!("../../sql/schema/0009_history.sql"),
            include_str!("../../sql/schema/0010_archives.sql"),
        ];
        assert_eq!(
            schema.len(),
            schema::newest_version(),
            "a schema file is missing here"
        );
        let tables = schema.iter().flat_map(|sql| {
            sql.split("CREATE TABLE ")
                .skip(1)
                .filter_map(|rest| rest.split_whitespace().next())
        });
        // The tables of version 6 take the names of those before them; rollups have a way of their own.
        for table in tables.filter(|table| {
            *table != "operation_log"
                && !table.ends_with("_without_key")
                && !table.starts_with("rollup_")
        }) {
            assert!(
                TAKE_OVER.contains(&format!("FROM {{old}}.{table}")),
                "{table} stays behind"
            );
        }
    }

    #[test]
    fn a_mark_leads_to_its_target_from_where_it_was_made_and_nowhere_else() {
        let mark = Mark::of(&meta(&[
            ("moved_to", "/data/new/log.oplog"),
            ("move_id", "1-x"),
            ("move_from", "/data/app.duckdb.oplog"),
        ]))
        .unwrap();
        let from = |here: &str| mark.target_from(Path::new(here));
        let there = |path: &str| Some(PathBuf::from(path));
        assert_eq!(from("/data/app.duckdb.oplog"), there("/data/new/log.oplog"));
        // A copy of the directory has a copy of the target.
        assert_eq!(from("/copy/app.duckdb.oplog"), there("/copy/new/log.oplog"));
        let elsewhere = Mark {
            target: PathBuf::from("/var/log.oplog"),
            ..mark.clone()
        };
        assert_eq!(
            elsewhere.target_from(Path::new("/copy/app.duckdb.oplog")),
            None
        );
        assert!(mark.is_known_to(&meta(&[("moved_from:1-x", "/data/app.duckdb.oplog")])));
        assert!(!mark.is_known_to(&meta(&[("moved_from:2-x", "/data/app.duckdb.oplog")])));
    }

    #[test]
    fn a_planted_path_is_known_to_no_log() {
        let mark = Mark::of(&meta(&[("moved_to", "/home/victim/log.oplog")])).unwrap();
        assert!(mark.is_done && !mark.has_id());
        assert!(!mark.is_known_to(&meta(&[("moved_from:", ""), ("moved_from:1-x", "")])));
    }
}
