//! One connection of a `.test` file, as the `sqllogictest` crate wants to see it.

use std::sync::{Arc, Mutex};

use sqllogictest::{ColumnType, DBOutput, DefaultColumnType, DB};

use crate::driver::{Driver, Request, Response};
use crate::variables::Variables;

/// The message of an error, as DuckDB wrote it.
#[derive(Debug)]
pub struct SqlError(pub String);

impl std::fmt::Display for SqlError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for SqlError {}

pub struct Session {
    /// All connections of a file live in one process, as they share one database.
    pub driver: Arc<Mutex<Driver>>,
    pub variables: Arc<Mutex<Variables>>,
    pub name: String,
}

impl DB for Session {
    type Error = SqlError;
    type ColumnType = DefaultColumnType;

    fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, SqlError> {
        let sql = self.variables.lock().unwrap().substitute(sql);
        let request = Request {
            connection: &self.name,
            sql: &sql,
        };
        match self
            .driver
            .lock()
            .unwrap()
            .ask(&request)
            .map_err(SqlError)?
        {
            Response::Rows { types, rows } => Ok(DBOutput::Rows {
                types: types
                    .chars()
                    .filter_map(DefaultColumnType::from_char)
                    .collect(),
                rows,
            }),
            Response::Complete { complete } => Ok(DBOutput::StatementComplete(complete)),
            Response::Error { error } => Err(SqlError(error)),
        }
    }
}
