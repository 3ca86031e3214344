//! An open log.

use super::columns::Columns;
use super::error::Error;
use super::hold::Hold;
use super::place::Place;
use super::rolls::Rolls;
use super::schema;
use super::segments::Segments;
use super::space::{used_bytes, wal_bytes};
use crate::duckdb::{Cell, Connection, Instance};

/// A setting's name and its new value, none to forget it.
pub type SettingChange = (&'static str, Option<String>);

/// An open log. The fields are dropped in their order: the engine closes the file before the hold on it goes.
pub struct Store {
    /// The writer's connection; the log is its default database.
    pub(super) connection: Connection,
    pub(super) instance: Instance,
    pub(super) catalog: String,
    /// Those of `operation_log`.
    pub(super) columns: Columns,
    pub(super) place: Place,
    /// Keeps everybody else from the log's file; let go of behind the connection.
    pub(super) hold: Option<Hold>,
    /// The tables of a log in memory.
    pub(super) segments: Option<Segments>,
    pub(super) rolls: Rolls,
    /// How many rows the last purge by size left.
    pub(super) rows_left_by_size_purge: Option<u64>,
    /// Why operations were deleted without being archived.
    pub(super) unarchived: Option<String>,
}

impl Store {
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The `seq` of the next record.
    pub fn next_seq(&self) -> Result<u64, Error> {
        let text = schema::meta(&self.connection, "next_seq")?.unwrap_or_else(|| "1".into());
        text.parse().map_err(|_| Error::NoNumber {
            key: "next_seq",
            value: text,
        })
    }

    /// The settings that were set, by name.
    pub fn settings(&self) -> Result<Vec<(String, String)>, Error> {
        Ok(self
            .connection
            .query("SELECT name, value FROM settings ORDER BY name")?
            .into_iter()
            .filter_map(|row| match row.as_slice() {
                [Cell::Text(name), Cell::Text(value)] => {
                    Some((name.to_string(), value.to_string()))
                }
                _ => None,
            })
            .collect())
    }

    /// How far each spool has been taken in, by its name.
    pub fn spool_positions(&self) -> Result<Vec<(String, u64)>, Error> {
        Ok(self
            .connection
            .query("SELECT name, next_seq FROM spools ORDER BY name")?
            .into_iter()
            .filter_map(|row| match row.as_slice() {
                [Cell::Text(name), Cell::Integer(next_seq)] => {
                    Some((name.to_string(), u64::try_from(*next_seq).ok()?))
                }
                _ => None,
            })
            .collect())
    }

    /// Remembers the positions of the spools that there are, and forgets all others.
    pub fn put_spool_positions(&mut self, positions: &[(String, u64)]) -> Result<(), Error> {
        self.connection.transaction(|connection| {
            connection.execute("DELETE FROM spools")?;
            for (name, next_seq) in positions {
                let statement =
                    connection.prepare("INSERT INTO spools VALUES ($name, $next_seq)")?;
                statement.bind_text("name", name)?;
                statement.bind_i64("next_seq", *next_seq as i64)?;
                statement.execute()?;
            }
            Ok(())
        })
    }

    /// Lets others have the file, whose store is given up.
    pub fn let_go(&mut self) {
        self.hold = None;
    }

    /// Whether the engine still answers. One whose checkpoint or write failed may not, and never will again.
    pub fn is_alive(&self) -> bool {
        self.next_seq().is_ok()
    }

    /// Whether the file that is written is still the one of that name.
    pub fn is_in_place(&self) -> bool {
        match (&self.hold, &self.place) {
            (Some(hold), Place::File(path)) => hold.is_at(path),
            _ => true,
        }
    }

    /// Numbers the next record, where what a log has lost is not to be given out again.
    pub fn put_next_seq(&mut self, next_seq: u64) -> Result<(), Error> {
        self.connection.transaction(|connection| {
            schema::set_meta(connection, "next_seq", &next_seq.to_string())
        })
    }

    /// Bytes that the log takes: used blocks of the file, or memory of its tables.
    pub fn used_bytes(&self) -> Result<u64, Error> {
        used_bytes(&self.connection, &self.catalog, &self.place)
    }

    /// The size of the write-ahead log.
    pub fn wal_bytes(&self) -> u64 {
        wal_bytes(&self.place)
    }

    /// Folds the write-ahead log into the file and gives freed blocks back. Not every moment suits it (a long read, say);
    /// the next one will do as well.
    pub fn checkpoint(&self) -> Result<(), Error> {
        let checkpoint = format!("CHECKPOINT {}", self.catalog);
        Ok(self.connection.execute(&checkpoint)?)
    }
}
