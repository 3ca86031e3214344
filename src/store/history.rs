//! What metrics were over time: samples, the hours that they add up to, and which metrics are sampled.

use super::error::Error;
use super::place::Place;
use super::read::{watched, Parameter, Reader};
use super::rows::append;
use super::store::Store;
use crate::calendar::HOUR_US;
use crate::caller::Watcher;
use crate::duckdb::{Cell, Connection, TypeId};
use crate::history::{Entry, NAMES_MAX, SAMPLES_KEPT_IN_MEMORY_US, SAMPLES_KEPT_US};

const CLOSE: &str = include_str!("../../sql/history/close.sql");
const HOURS: &str = include_str!("../../sql/history/hours.sql");
const NAMES: &str = "SELECT name FROM history_metrics ORDER BY name";

/// Those of `history_1m`.
const TYPES: [TypeId; 5] = [
    TypeId::TimestampTz,
    TypeId::Varchar,
    TypeId::Varchar,
    TypeId::Double,
    TypeId::Double,
];

fn names(connection: &Connection) -> Result<Vec<String>, Error> {
    let rows = connection.query(NAMES)?.into_iter();
    Ok(rows
        .filter_map(|row| match row.into_iter().next() {
            Some(Cell::Text(name)) => Some(name.into_owned()),
            _ => None,
        })
        .collect())
}

/// What a metric was in an hour.
#[derive(Clone, Debug, PartialEq)]
pub struct HourOfMetric {
    /// Since 1970.
    pub hour: i64,
    pub metric: String,
    /// The database that it is about, "" where it is about none.
    pub database: String,
    /// The mean of a gauge, the rise of a counter.
    pub value: f64,
}

impl Reader {
    /// What these metrics were by the hour, from that hour on; the oldest first.
    pub fn history_hours(
        &self,
        metrics: &[&str],
        from_hour: i64,
        callers: &Watcher,
    ) -> Result<Vec<HourOfMetric>, Error> {
        let metrics = Parameter::Text(format!("[{}]", metrics.join(", ")));
        let parameters = [
            ("metrics", metrics),
            ("from_hour", Parameter::Integer(from_hour)),
        ];
        let rows = watched(self.bind(HOURS, &parameters)?, callers)?.into_iter();
        Ok(rows
            .filter_map(|row| match row.as_slice() {
                [Cell::Integer(hour), Cell::Text(metric), Cell::Text(database), Cell::Double(value)] => {
                    Some(HourOfMetric {
                        hour: *hour as i64,
                        metric: metric.to_string(),
                        database: database.to_string(),
                        value: *value,
                    })
                }
                _ => None,
            })
            .collect())
    }
}

impl Store {
    /// Stores samples of one time.
    pub fn put_history(&mut self, at_us: i64, entries: &[Entry]) -> Result<(), Error> {
        self.connection.transaction(|connection| {
            append(
                connection,
                &self.catalog,
                "history_1m",
                &TYPES,
                entries,
                |chunk, row, entry| {
                    chunk.column_mut(0).set_i64(row, at_us);
                    chunk.column_mut(1).set_text(row, &entry.metric);
                    chunk.column_mut(2).set_text(row, &entry.labels);
                    chunk.column_mut(3).set_f64(row, entry.value);
                    match entry.increase {
                        Some(increase) => chunk.column_mut(4).set_f64(row, increase),
                        None => chunk.column_mut(4).set_null(row),
                    }
                },
            )
        })
    }

    /// Adds up the hours that have ended, and lets go of what is too old.
    pub fn close_history(&mut self, now_us: i64, keep_us: i64) -> Result<(), Error> {
        let hour = |us: i64| us.div_euclid(HOUR_US);
        let samples_kept_us = match self.place {
            Place::Memory => SAMPLES_KEPT_IN_MEMORY_US,
            Place::File(_) => SAMPLES_KEPT_US,
        };
        let close = CLOSE.replace("{until}", &hour(now_us).to_string());
        let is_memory = self.place == Place::Memory;
        self.connection
            .transaction(|connection| -> Result<(), Error> {
                connection.execute(&close)?;
                for (table, kept_us) in [("history_1m", samples_kept_us), ("history_1h", keep_us)] {
                    // Whole hours, so that what is left of one is all of it.
                    let from_us = hour(now_us.saturating_sub(kept_us)).saturating_mul(HOUR_US);
                    expire(connection, table, from_us, is_memory)?;
                }
                Ok(())
            })
    }

    /// The metrics that are sampled besides those that always are.
    pub fn history_names(&self) -> Result<Vec<String>, Error> {
        names(&self.connection)
    }

    /// Has a metric sampled from now on.
    pub fn keep_history(&mut self, name: &str) -> Result<(), Error> {
        self.connection.transaction(|connection| {
            let known = names(connection)?;
            if known.iter().any(|known| known == name) {
                return Ok(());
            }
            if known.len() >= NAMES_MAX {
                return Err(Error::TooManyHistories {
                    metrics: known.len(),
                });
            }
            let statement = connection.prepare("INSERT INTO history_metrics VALUES ($name)")?;
            statement.bind_text("name", name)?;
            statement.execute()?;
            Ok(())
        })
    }

    /// Samples a metric no longer, and forgets what it was; says how many samples and hours went. None where it was not
    /// named.
    pub fn drop_history(&mut self, name: &str) -> Result<Option<u64>, Error> {
        self.connection.transaction(|connection| {
            let delete = |sql: &str| -> Result<usize, Error> {
                let statement = connection.prepare(sql)?;
                statement.bind_text("name", name)?;
                Ok(statement.execute()?.count()?)
            };
            if delete("DELETE FROM history_metrics WHERE name = $name")? == 0 {
                return Ok(None);
            }
            // A histogram's are called after its parts.
            let of_metric = "metric IN ($name, $name || '_sum', $name || '_count')";
            let samples = delete(&format!("DELETE FROM history_1m WHERE {of_metric}"))?;
            let hours = delete(&format!("DELETE FROM history_1h WHERE {of_metric}"))?;
            Ok(Some((samples + hours) as u64))
        })
    }
}

/// Deletes rows of before a time. In memory that gives nothing back: there, what is left is written anew.
fn expire(
    connection: &Connection,
    table: &str,
    from_us: i64,
    is_memory: bool,
) -> Result<(), Error> {
    if !is_memory {
        let delete = format!("DELETE FROM {table} WHERE epoch_us(timestamp) < {from_us}");
        return Ok(connection.execute(&delete)?);
    }
    let expired = format!("SELECT count(*) FROM {table} WHERE epoch_us(timestamp) < {from_us}");
    let rows = connection.query(&expired)?;
    if matches!(rows.first().map(Vec::as_slice), Some([Cell::Integer(0)])) {
        return Ok(());
    }
    Ok(connection.execute(&format!(
        "CREATE OR REPLACE TABLE {table} AS FROM {table} WHERE epoch_us(timestamp) >= {from_us}"
    ))?)
}
