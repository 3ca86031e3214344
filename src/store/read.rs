//! Reading queries: one of the .sql files with its placeholders filled and its parameters bound.

use super::error::Error;
use super::store::Store;
use crate::duckdb::{Cell, Instance, Statement};
use crate::record::parse_id;
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
        let connection = self.instance.connect()?;
        connection.execute(&format!("USE {}", self.catalog))?;
        Ok(connection.prepare(sql)?)
    }

    /// A statement with its parameters bound. It runs in parallel with the writer, on a connection of its own.
    pub fn bind(&self, sql: &str, parameters: &[(&str, Parameter)]) -> Result<Statement, Error> {
        let statement = self.prepare(sql)?;
        for (name, parameter) in parameters {
            parameter.bind(&statement, name)?;
        }
        Ok(statement)
    }
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
