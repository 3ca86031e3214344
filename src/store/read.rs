//! Reading queries: one of the .sql files with its placeholders filled and its parameters bound.

use super::error::Error;
use super::rollup::known;
use super::store::Store;
use crate::caller::Watcher;
use crate::duckdb::{Cell, Connection, Instance, Statement};
use crate::record::parse_id;
use crate::rollup::{self, Known, Level, Scope};
use std::collections::HashSet;

/// A parameter of a reading query, named `$name` in the SQL.
#[derive(Clone, Debug, PartialEq)]
pub enum Parameter {
    Null,
    Text(String),
    Integer(i64),
    Double(f64),
    /// Microseconds since 1970.
    Time(i64),
}

impl Parameter {
    pub(super) fn bind(&self, statement: &Statement, name: &str) -> Result<(), Error> {
        match self {
            Self::Null => statement.bind_null(name),
            Self::Text(text) => statement.bind_text(name, text),
            Self::Integer(number) => statement.bind_i64(name, *number),
            Self::Double(number) => statement.bind_f64(name, *number),
            Self::Time(micros) => statement.bind_timestamp(name, *micros),
        }?;
        Ok(())
    }
}

/// Runs queries on the log, in parallel with the writer. What has begun to give rows goes on while the log moves; what
/// begins when the log has moved finds the old place empty, or closed (see `Shared::begin`).
#[derive(Clone)]
pub struct Reader {
    instance: Instance,
    catalog: String,
}

impl Reader {
    pub fn prepare(&self, sql: &str) -> Result<Statement, Error> {
        Ok(self.connect()?.prepare(sql)?)
    }

    pub(super) fn connect(&self) -> Result<Connection, Error> {
        let connection = self.instance.connect()?;
        connection.execute(&format!("USE {}", self.catalog))?;
        Ok(connection)
    }

    /// What is committed now. Questions about it run on a connection of their own, in parallel with the writer.
    pub fn moment(&self) -> Result<Moment, Error> {
        let connection = self.connect()?;
        // Ends with the connection, which the last of its statements keeps.
        connection.execute("BEGIN TRANSACTION")?;
        let known = known(&connection)?;
        Ok(Moment { connection, known })
    }

    /// A statement with its parameters bound. It runs in parallel with the writer, on a connection of its own.
    pub fn bind(&self, sql: &str, parameters: &[(&str, Parameter)]) -> Result<Statement, Error> {
        bound(self.prepare(sql)?, parameters)
    }
}

/// The log at one moment: what it has, and questions about just that.
pub struct Moment {
    pub(super) connection: Connection,
    pub known: Known,
}

impl Moment {
    pub fn bind(&self, sql: &str, parameters: &[(&str, Parameter)]) -> Result<Statement, Error> {
        bound(self.connection.prepare(sql)?, parameters)
    }

    /// How many operations ended in these hours, of those that are rolled up.
    pub fn operations(&self, (from, until): (i64, i64)) -> Result<u64, Error> {
        let hours = rollup::table(Scope::Command, Level::Hour);
        count(
            &self.connection,
            &format!(
                "SELECT coalesce(sum(operations), 0)::BIGINT FROM {hours} WHERE hour >= {from} AND hour < {until}"
            ),
        )
    }
}

/// What a statement counts, or how many rows it changes.
pub(super) fn count(connection: &Connection, sql: &str) -> Result<u64, Error> {
    Ok(connection.prepare(sql)?.execute()?.count()? as u64)
}

/// The rows of a statement, which is interrupted when its caller gives up.
pub(super) fn watched(
    statement: Statement,
    callers: &Watcher,
) -> Result<Vec<Vec<Cell<'static>>>, Error> {
    let interrupter = statement.interrupter();
    let watched = callers.watch(move || interrupter.interrupt());
    watched.run(|| Ok(statement.execute()?.collect()?))
}

fn bound(statement: Statement, parameters: &[(&str, Parameter)]) -> Result<Statement, Error> {
    for (name, parameter) in parameters {
        parameter.bind(&statement, name)?;
    }
    Ok(statement)
}

impl Store {
    pub fn reader(&self) -> Reader {
        Reader {
            instance: self.instance.clone(),
            catalog: self.catalog.clone(),
        }
    }

    /// Which of these operations are in the log.
    pub fn recorded(&self, ids: &[u128]) -> Result<HashSet<u128>, Error> {
        let mut recorded = HashSet::new();
        for ids in ids.chunks(1000) {
            let listed: Vec<String> = ids.iter().map(|id| format!("'{id:032x}'")).collect();
            let rows = self.connection.query(&format!(
                "SELECT id FROM operation_log WHERE id IN ({})",
                listed.join(", ")
            ))?;
            recorded.extend(rows.iter().filter_map(|row| match row.as_slice() {
                [Cell::Text(id)] => parse_id(id),
                _ => None,
            }));
        }
        Ok(recorded)
    }
}
