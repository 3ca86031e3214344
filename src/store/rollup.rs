//! Rolling operations up: each is counted once, in the transaction that moves the watermark past it.

use super::error::Error;
use super::place::Place;
use super::rolls::Rolls;
use super::store::Store;
use crate::calendar::HOUR_US;
use crate::duckdb::{Cell, Connection};
use crate::rollup::{bin, hour, period, scopes, table, Known, Level, Scope, COUNTS, SUMS};

const NAMES: &str = include_str!("../../sql/rollup/names.sql");
const BOUND: &str = include_str!("../../sql/rollup/bound.sql");
const KEYS: &str = include_str!("../../sql/rollup/keys.sql");
const ADD: &str = include_str!("../../sql/rollup/add.sql");
const CLOSE: &str = include_str!("../../sql/rollup/close.sql");
const MERGE: &str = include_str!("../../sql/rollup/merge.sql");
const ERRORS: &str = include_str!("../../sql/rollup/errors.sql");

const TIMES: &str =
    "SELECT min(epoch_us(timestamp)), max(epoch_us(timestamp)) FROM operation_log WHERE seq >= {from} AND seq < {until}";

/// The key of a command or a project alone, for rollups of both.
const KNOWN_OF_PAIR: &str = "JOIN rollup_keys AS pair ON pair.key = below.key
JOIN rollup_keys AS known ON {matches} AND known.status = pair.status";

/// What is rolled up at a time.
pub const ROLL_ROWS_MAX: u64 = 250_000;

/// Different names that rollups tell apart; the others count under `other`.
const COMMANDS_MAX: u64 = 1_000;
const PROJECTS_MAX: u64 = 5_000;

/// How long single hours are kept; days and longer periods stay as long as the setting says.
const HOURS_KEPT: i64 = 62 * 24;

/// What a log has, as its connection sees it.
pub(super) fn known(connection: &Connection) -> Result<Known, Error> {
    let rows = connection.query(
        "SELECT rolled_seq, rows_since_us, rollups_since_us, hours_since, until_1d, until_8d, until_64d, overflowed
         FROM rollup_state",
    )?;
    let integer = |cell: &Cell<'static>| match cell {
        Cell::Integer(number) => *number as i64,
        _ => i64::MIN,
    };
    match rows.first().map(Vec::as_slice) {
        Some([seq, rows, rollups, hours, day, eight, sixty_four, overflowed]) => Ok(Known {
            rolled_seq: integer(seq) as u64,
            rows_since_us: integer(rows),
            rollups_since_us: integer(rollups),
            hours_since: integer(hours),
            until: [integer(day), integer(eight), integer(sixty_four)],
            overflowed: matches!(overflowed, Cell::Boolean(true)),
        }),
        _ => Err(Error::NoRollups),
    }
}

/// Which of the keys that are `known` is that of a command and a project in a scope.
fn matches(scope: Scope, command: &str, project_id: &str) -> String {
    match scope {
        Scope::Command => format!("known.command = {command} AND known.project_id IS NULL"),
        Scope::Project => format!("known.project_id = {project_id} AND known.command IS NULL"),
        Scope::Pair => format!("known.command = {command} AND known.project_id = {project_id}"),
    }
}

fn set_until(connection: &Connection, level: Level, until: i64) -> Result<(), Error> {
    let set = format!("UPDATE rollup_state SET until_{} = {until}", level.name());
    Ok(connection.execute(&set)?)
}

impl Store {
    pub fn known(&self) -> Result<Known, Error> {
        known(&self.connection)
    }

    /// Rolls operations up that are not yet, [`ROLL_ROWS_MAX`] at most; whether there are more.
    pub fn roll(&mut self) -> Result<bool, Error> {
        if self.place == Place::Memory {
            return Ok(false);
        }
        let state = self.known()?;
        let next_seq = self.next_seq()?;
        // A log can begin at any number.
        let first = self.count(&format!(
            "SELECT coalesce(min(seq), {next_seq}) FROM operation_log WHERE seq >= {}",
            state.rolled_seq
        ))?;
        let until = next_seq.min(first.saturating_add(ROLL_ROWS_MAX));
        if first >= until {
            return Ok(false);
        }
        let hours = self
            .connection
            .transaction(|connection| -> Result<(i64, i64), Error> {
                let range = |sql: &str| {
                    sql.replace("{from}", &first.to_string())
                        .replace("{until}", &until.to_string())
                        .replace("{bin}", &bin("duration_ms"))
                        .replace("{counts}", COUNTS)
                };
                connection.execute(&range(NAMES))?;
                let mut overflowed = state.overflowed;
                for (column, alone, max) in [
                    ("command", "project_id IS NULL", COMMANDS_MAX),
                    ("project_id", "command IS NULL", PROJECTS_MAX),
                ] {
                    let bound = BOUND
                        .replace("{column}", column)
                        .replace("{alone}", alone)
                        .replace("{max}", &max.to_string());
                    overflowed |= connection.prepare(&bound)?.execute()?.count()? > 0;
                }
                connection.execute(KEYS)?;
                let times = connection.query(&range(TIMES))?;
                let (earliest, latest) = match times.first().map(Vec::as_slice) {
                    Some([Cell::Integer(first), Cell::Integer(last)]) => (
                        (*first as i64).div_euclid(HOUR_US),
                        (*last as i64).div_euclid(HOUR_US),
                    ),
                    _ => (i64::from(i32::MAX), i64::from(i32::MAX)),
                };
                for level in Level::ALL {
                    let made = state.until(level);
                    // What ends late goes into periods that are made already.
                    let before = match level {
                        Level::Hour => String::new(),
                        _ if earliest >= made => continue,
                        _ => format!(" AND epoch_us(timestamp) < {}", made * HOUR_US),
                    };
                    for scope in scopes(level) {
                        let add = ADD
                            .replace("{table}", &table(*scope, level))
                            .replace("{hour}", &hour("epoch_us(timestamp)", level))
                            .replace(
                                "{matches}",
                                &matches(*scope, "counted_command", "counted_project_id"),
                            )
                            .replace("{before}", &before);
                        connection.execute(&range(&add))?;
                    }
                }
                let errors = ERRORS.replace("{hour}", &hour("epoch_us(timestamp)", Level::Hour));
                connection.execute(&range(&errors))?;
                connection.execute(&format!(
                    "UPDATE rollup_state SET rolled_seq = {until}, overflowed = {overflowed}"
                ))?;
                Ok((earliest, latest))
            })?;
        self.rolls.note(hours);
        self.merge_hours()?;
        Ok(until < next_seq)
    }

    /// Adds up the rows of hours that several rolls have counted, so that they are no more than there are keys and bins.
    fn merge_hours(&mut self) -> Result<(), Error> {
        let Some(from) = self.rolls.due() else {
            return Ok(());
        };
        let merge = MERGE
            .replace("{table}", &table(Scope::Pair, Level::Hour))
            .replace("{sums}", SUMS)
            .replace("{from}", &from.to_string());
        self.connection
            .transaction(|connection| connection.execute(&merge))?;
        self.rolls = Rolls::default();
        Ok(())
    }

    /// Rolls up all that is committed.
    pub fn roll_all(&mut self) -> Result<(), Error> {
        while self.roll()? {}
        Ok(())
    }

    /// Makes the longer periods that have ended, and lets go of what is too old.
    pub fn close_periods(&mut self, now_us: i64, keep_us: i64) -> Result<(), Error> {
        if self.place == Place::Memory {
            return Ok(());
        }
        let state = self.known()?;
        let now = now_us.div_euclid(HOUR_US);
        let mut below_until = now;
        for ((level, below), made) in Level::MADE.into_iter().zip(state.until) {
            let until = below_until.div_euclid(level.hours()) * level.hours();
            if until > made {
                self.make_periods(level, below, made, until)?;
            }
            below_until = until.max(made);
        }
        self.expire_rollups(now, now_us.saturating_sub(keep_us).div_euclid(HOUR_US))
    }

    fn make_periods(
        &mut self,
        level: Level,
        below: Level,
        from: i64,
        until: i64,
    ) -> Result<(), Error> {
        self.connection
            .transaction(|connection| -> Result<(), Error> {
                for scope in Scope::ALL {
                    // Hours know the pair only.
                    let (key, join) = match (below, scope) {
                        (Level::Hour, Scope::Command | Scope::Project) => (
                            "known.key",
                            format!(
                                "\n{}",
                                KNOWN_OF_PAIR.replace(
                                    "{matches}",
                                    &matches(scope, "pair.command", "pair.project_id")
                                )
                            ),
                        ),
                        _ => ("below.key", String::new()),
                    };
                    connection.execute(
                        &CLOSE
                            .replace("{table}", &table(scope, level))
                            .replace("{below}", &table(scope, below))
                            .replace("{key}", key)
                            .replace("{join}", &join)
                            .replace("{period}", &period("hour", level))
                            .replace("{sums}", SUMS)
                            .replace("{from}", &from.to_string())
                            .replace("{until}", &until.to_string()),
                    )?;
                }
                set_until(connection, level, until)
            })
    }

    fn expire_rollups(&mut self, now: i64, kept_from: i64) -> Result<(), Error> {
        let state = self.known()?;
        let hours_since = (now - HOURS_KEPT).min(state.until[0]).div_euclid(24) * 24;
        let first_us = kept_from.saturating_mul(HOUR_US);
        if hours_since <= state.hours_since && first_us < state.rollups_since_us + 24 * HOUR_US {
            return Ok(());
        }
        self.connection.transaction(|connection| -> Result<(), Error> {
            let hours_since = hours_since.max(state.hours_since);
            let mut deleted = 0;
            for level in Level::ALL {
                let before = match level {
                    Level::Hour => hours_since.max(kept_from),
                    level => kept_from - level.hours() + 1,
                };
                for scope in scopes(level) {
                    for suffix in ["", "_durations"] {
                        let table = table(*scope, level);
                        let delete = format!("DELETE FROM {table}{suffix} WHERE hour < {before}");
                        let rows = connection.prepare(&delete)?.execute()?.count()?;
                        deleted += if level == Level::Hour { 0 } else { rows };
                    }
                }
            }
            connection.execute(&format!("DELETE FROM rollup_errors WHERE hour < {kept_from}"))?;
            connection.execute(&format!("UPDATE rollup_state SET hours_since = {hours_since}"))?;
            if deleted > 0 {
                connection.execute(&format!(
                    "UPDATE rollup_state SET rollups_since_us = greatest(rollups_since_us, {first_us})"
                ))?;
            }
            Ok(())
        })
    }
}

impl Store {
    /// Rolls up all operations of which some are about to be deleted: those that ended before a time, and those up to a
    /// number.
    pub(super) fn roll_before_purge(
        &mut self,
        before_us: i64,
        up_to_seq: u64,
    ) -> Result<(), Error> {
        if self.place == Place::Memory {
            return Ok(());
        }
        let rolled_seq = self.known()?.rolled_seq;
        let waiting = self.count(&format!(
            "SELECT count(*) FROM operation_log
             WHERE seq >= {rolled_seq} AND (seq <= {up_to_seq} OR epoch_us(timestamp) < {before_us})"
        ))?;
        match waiting {
            0 => Ok(()),
            _ => self.roll_all(),
        }
    }
}

/// Says within a purge that rows are missing of operations that ended before this.
pub(super) fn note_missing_rows(connection: &Connection, before_us: i64) -> Result<(), Error> {
    Ok(connection.execute(&format!(
        "UPDATE rollup_state SET rows_since_us = greatest(rows_since_us, {before_us})"
    ))?)
}

/// All tables with rows of rollups.
fn tables() -> impl Iterator<Item = String> {
    Level::ALL.into_iter().flat_map(|level| {
        scopes(level).iter().flat_map(move |scope| {
            let table = table(*scope, level);
            [format!("{table}_durations"), table]
        })
    })
}

/// Takes over what another log, whose catalog is `old`, has rolled up; all of its operations have to be, and all of this
/// one's. From now on those below `next_seq` are.
pub(super) fn take_over(connection: &Connection, old: &str, next_seq: u64) -> Result<(), Error> {
    let same = "ours.command IS NOT DISTINCT FROM theirs.command
        AND ours.project_id IS NOT DISTINCT FROM theirs.project_id AND ours.status = theirs.status";
    connection.execute(&format!(
        "INSERT INTO rollup_keys
         SELECT
             (SELECT coalesce(max(key), 0) FROM rollup_keys) + row_number() OVER (ORDER BY theirs.key),
             command, project_id, status
         FROM {old}.rollup_keys AS theirs
         ANTI JOIN rollup_keys AS ours ON {same}"
    ))?;
    for table in tables() {
        connection.execute(&format!(
            "INSERT INTO {table} BY NAME
             SELECT rolled.* REPLACE (ours.key AS key)
             FROM {old}.{table} AS rolled
             JOIN {old}.rollup_keys AS theirs ON theirs.key = rolled.key
             JOIN rollup_keys AS ours ON {same}"
        ))?;
    }
    connection.execute(&format!(
        "INSERT INTO rollup_errors BY NAME SELECT * FROM {old}.rollup_errors;
         UPDATE rollup_state SET
             rolled_seq = {next_seq},
             rows_since_us = greatest(rollup_state.rows_since_us, theirs.rows_since_us),
             rollups_since_us = greatest(rollup_state.rollups_since_us, theirs.rollups_since_us),
             hours_since = greatest(rollup_state.hours_since, theirs.hours_since),
             overflowed = rollup_state.overflowed OR theirs.overflowed
         FROM {old}.rollup_state AS theirs"
    ))?;
    Ok(())
}

/// What another log has rolled up cannot be taken over, but its rows are, which begin with this number: what it knows
/// beyond them is lost.
pub(super) fn leave_behind(connection: &Connection, old: &str, from_seq: u64) -> Result<(), Error> {
    Ok(connection.execute(&format!(
        "UPDATE rollup_state SET
             rolled_seq = least(rollup_state.rolled_seq, {from_seq}),
             rows_since_us = greatest(rollup_state.rows_since_us, theirs.rows_since_us),
             rollups_since_us = greatest(rollup_state.rollups_since_us, theirs.rows_since_us)
         FROM {old}.rollup_state AS theirs"
    ))?)
}

/// Empties what another log has taken over. Rows that are left, or come back with the numbers that they had, are not
/// rolled up.
pub(super) fn empty(connection: &Connection) -> Result<(), Error> {
    for table in tables() {
        connection.execute(&format!("DELETE FROM {table}"))?;
    }
    Ok(connection.execute(
        "DELETE FROM rollup_errors;
         DELETE FROM rollup_keys;
         UPDATE rollup_state SET
             rolled_seq = 0, rows_since_us = -9223372036854775807, rollups_since_us = -9223372036854775807,
             overflowed = false",
    )?)
}

impl Store {
    /// Whether anything has been rolled up.
    pub(super) fn has_rollups(&self) -> Result<bool, Error> {
        Ok(self.place != Place::Memory && self.count("SELECT count(*) FROM rollup_keys")? > 0)
    }

    /// Before rollups move, and once more when nothing may come between: all operations have to be in them.
    pub fn roll_before_move(&mut self) -> Result<(), Error> {
        if self.has_rollups()? {
            self.roll_all()?;
        }
        Ok(())
    }

    /// Has the rollups of two logs made so that they can be added up: of all operations, and the longer periods up to the
    /// same hour.
    pub fn align_rollups(&mut self, target: &mut Store, now_us: i64) -> Result<(), Error> {
        if !self.has_rollups()? {
            return target.roll_before_move();
        }
        self.roll_all()?;
        target.roll_all()?;
        self.close_periods(now_us, i64::MAX)?;
        target.close_periods(now_us, i64::MAX)?;
        let (ours, theirs) = (self.known()?.until, target.known()?.until);
        for (index, (level, below)) in Level::MADE.into_iter().enumerate() {
            let until = ours[index].max(theirs[index]);
            for (store, made) in [(&mut *self, ours[index]), (&mut *target, theirs[index])] {
                if made < until {
                    store.make_periods(level, below, made, until)?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_of_rollups_moves_along() {
        let schema = include_str!("../../sql/schema/0007_rollups.sql");
        let known: Vec<String> = tables().collect();
        let alone = ["rollup_state", "rollup_keys", "rollup_errors"];
        let made = schema.split("CREATE TABLE ").skip(1);
        let made: Vec<&str> = made
            .filter_map(|rest| rest.split_whitespace().next())
            .collect();
        assert_eq!(made.len(), known.len() + alone.len());
        for table in made {
            assert!(
                alone.contains(&table) || known.iter().any(|known| known == table),
                "{table}"
            );
        }
    }
}
