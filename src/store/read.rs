//! Reading queries: one of the .sql files with its placeholders filled and its parameters bound.

use super::Place;
use crate::host::{Cell, Connection, Instance, Rows, Statement};

/// A parameter of a reading query, named `$name` in the SQL.
#[derive(Clone, Debug, PartialEq)]
pub enum Parameter {
    Text(String),
    Integer(i64),
    Double(f64),
    /// Microseconds since 1970.
    Time(i64),
}

/// Runs queries on the log, in parallel with the writer. It stays usable while the log moves: what it has opened
/// goes on reading the old place.
#[derive(Clone)]
pub struct Reader {
    instance: Instance,
    catalog: String,
}

impl Reader {
    pub(super) fn new(instance: Instance, catalog: String) -> Self {
        Self { instance, catalog }
    }

    pub fn prepare(&self, sql: &str) -> Result<Statement, String> {
        let connection = self.instance.connect()?;
        connection.execute(&format!("USE {}", self.catalog))?;
        connection.prepare(sql)
    }

    /// Prepares, binds and runs a query; rows are produced as they are read.
    pub fn run(&self, sql: &str, parameters: &[(&str, Parameter)]) -> Result<Rows, String> {
        let statement = self.prepare(sql)?;
        for (name, parameter) in parameters {
            match parameter {
                Parameter::Text(text) => statement.bind_text(name, text)?,
                Parameter::Integer(number) => statement.bind_i64(name, *number)?,
                Parameter::Double(number) => statement.bind_f64(name, *number)?,
                Parameter::Time(micros) => statement.bind_timestamp(name, *micros)?,
            }
        }
        statement.execute()
    }
}

pub(super) fn used_bytes(
    connection: &Connection,
    catalog: &str,
    place: &Place,
) -> Result<u64, String> {
    let sql = match place {
        Place::File(_) => format!(
            "SELECT block_size * used_blocks FROM pragma_database_size() WHERE database_name = '{catalog}'"
        ),
        // The private instance has no other tables in memory.
        Place::Memory => {
            "SELECT memory_usage_bytes FROM duckdb_memory() WHERE tag = 'IN_MEMORY_TABLE'".to_owned()
        }
    };
    let blocks = match connection.query(&sql)?.first().map(Vec::as_slice) {
        Some([Cell::Integer(bytes)]) => u64::try_from(*bytes).unwrap_or(0),
        _ => 0,
    };
    Ok(blocks + wal_bytes(place))
}

/// The size of the log's write-ahead log.
pub(super) fn wal_bytes(place: &Place) -> u64 {
    place
        .path()
        .and_then(|path| std::fs::metadata(format!("{}.wal", path.display())).ok())
        .map_or(0, |file| file.len())
}
