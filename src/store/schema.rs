//! Schema files and migrations. A log is brought up to date one numbered file at a time, each in a transaction.

use super::error::Error;
use crate::duckdb::{Cell, Connection};
use crate::json;
use std::collections::BTreeMap;

/// All versions, in order: the file at index 0 leads to version 1.
const VERSIONS: &[&str] = &[
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

/// In the metadata of earlier logs there can be what DuckDB's JSON does not read.
const VERSION_OF_VALID_METADATA: usize = 6;

/// What tells a log from any other database.
const TABLES_OF_VERSION_1: [&str; 3] = ["meta", "operation_log", "settings"];

pub enum SchemaError {
    /// The file was written by a newer oplog; the version that it has.
    Newer(u64),
    /// It is somebody's database, and no log.
    Foreign,
    Failed(Error),
}

impl<E: Into<Error>> From<E> for SchemaError {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// A value of the `meta` table.
pub fn meta(connection: &Connection, key: &str) -> Result<Option<String>, Error> {
    let statement = connection.prepare("SELECT value FROM meta WHERE key = $key")?;
    statement.bind_text("key", key)?;
    Ok(
        match statement.execute()?.collect()?.first().map(Vec::as_slice) {
            Some([Cell::Text(value)]) => Some(value.to_string()),
            _ => None,
        },
    )
}

/// Sets a value of the `meta` table within the current transaction, if there is one.
pub fn set_meta(connection: &Connection, key: &str, value: &str) -> Result<(), Error> {
    put(
        connection,
        [
            "UPDATE meta SET value = $value WHERE key = $name",
            "INSERT INTO meta VALUES ($name, $value)",
        ],
        key,
        value,
    )
}

/// Removes a value of the `meta` table, if it is there.
pub fn forget_meta(connection: &Connection, key: &str) -> Result<(), Error> {
    let statement = connection.prepare("DELETE FROM meta WHERE key = $key")?;
    statement.bind_text("key", key)?;
    statement.execute()?;
    Ok(())
}

/// Changes a row in place, or adds it where there is none: the tables have no keys (see sql/schema).
fn put(
    connection: &Connection,
    [change, add]: [&str; 2],
    name: &str,
    value: &str,
) -> Result<(), Error> {
    let run = |sql: &str| -> Result<usize, Error> {
        let statement = connection.prepare(sql)?;
        statement.bind_text("name", name)?;
        statement.bind_text("value", value)?;
        Ok(statement.execute()?.count()?)
    };
    match run(change)? {
        0 => run(add).map(drop),
        _ => Ok(()),
    }
}

/// Remembers a setting, or forgets it.
pub fn put_setting(connection: &Connection, name: &str, value: Option<&str>) -> Result<(), Error> {
    if let Some(value) = value {
        return put(
            connection,
            [
                "UPDATE settings SET value = $value WHERE name = $name",
                "INSERT INTO settings VALUES ($name, $value)",
            ],
            name,
            value,
        );
    }
    let statement = connection.prepare("DELETE FROM settings WHERE name = $name")?;
    statement.bind_text("name", name)?;
    statement.execute()?;
    Ok(())
}

/// All of the `meta` table.
pub fn all_meta(connection: &Connection) -> Result<BTreeMap<String, String>, Error> {
    Ok(connection
        .query("SELECT key, value FROM meta")?
        .into_iter()
        .filter_map(|row| match row.as_slice() {
            [Cell::Text(key), Cell::Text(value)] => Some((key.to_string(), value.to_string())),
            _ => None,
        })
        .collect())
}

/// The tables of the connection's default database.
pub fn tables(connection: &Connection) -> Result<Vec<String>, Error> {
    Ok(connection
        .query("SELECT table_name FROM duckdb_tables() WHERE database_name = current_database()")?
        .into_iter()
        .filter_map(|row| match row.into_iter().next() {
            Some(Cell::Text(name)) => Some(name.into_owned()),
            _ => None,
        })
        .collect())
}

/// The columns of a table, as SQL lists them.
pub fn columns(connection: &Connection, table: &str) -> Result<String, Error> {
    let columns = connection.prepare(&format!("FROM {table}"))?.columns();
    let quoted: Vec<String> = columns
        .into_iter()
        .map(|(name, _)| format!("\"{name}\""))
        .collect();
    Ok(quoted.join(", "))
}

fn is_log_of(tables: &[String]) -> bool {
    TABLES_OF_VERSION_1
        .iter()
        .all(|table| tables.iter().any(|have| have == table))
}

/// Whether the connection's default database is a log; none if it has no tables.
pub fn is_log(connection: &Connection) -> Result<Option<bool>, Error> {
    let tables = tables(connection)?;
    Ok((!tables.is_empty()).then(|| is_log_of(&tables)))
}

/// Brings the connection's default database to the newest version.
pub fn migrate(connection: &Connection) -> Result<(), SchemaError> {
    let tables = tables(connection)?;
    let version = if tables.is_empty() {
        0
    } else if !is_log_of(&tables) {
        return Err(SchemaError::Foreign);
    } else {
        let text = meta(connection, "schema_version")?.unwrap_or_default();
        let version = text.parse::<usize>();
        version.map_err(|_| Error::NoNumber {
            key: "schema_version",
            value: text,
        })?
    };
    if version > VERSIONS.len() {
        return Err(SchemaError::Newer(version as u64));
    }
    for (index, sql) in VERSIONS.iter().enumerate().skip(version) {
        connection.transaction(|connection| -> Result<(), Error> {
            if version > 0 && index + 1 == VERSION_OF_VALID_METADATA {
                repair_metadata(connection)?;
            }
            Ok(connection.execute(sql)?)
        })?;
    }
    Ok(())
}

/// Replaces lone surrogates in metadata. A pair that is one is no reason to look closer, and few rows have another.
fn repair_metadata(connection: &Connection) -> Result<(), Error> {
    const WITH_HALF_A_PAIR: &str = r"
        SELECT seq, metadata
        FROM operation_log
        WHERE contains(lower(metadata), '\ud') AND regexp_matches(
            regexp_replace(metadata, '\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}', '', 'g'),
            '\\u[dD][89a-fA-F][0-9a-fA-F]{2}'
        )";
    for row in connection.query(WITH_HALF_A_PAIR)? {
        let [Cell::Integer(seq), Cell::Text(metadata)] = row.as_slice() else {
            continue;
        };
        if let Some(repaired) = json::without_lone_surrogates(metadata) {
            let statement = connection
                .prepare("UPDATE operation_log SET metadata = $metadata WHERE seq = $seq")?;
            statement.bind_text("metadata", &repaired)?;
            statement.bind_i64("seq", i64::try_from(*seq).unwrap_or_default())?;
            statement.execute()?;
        }
    }
    Ok(())
}

/// The version that this build writes.
pub fn newest_version() -> usize {
    VERSIONS.len()
}
