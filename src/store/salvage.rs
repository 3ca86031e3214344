//! What can be saved of a damaged log: it is renamed, and what can be read of it goes into a fresh one.

use super::attach::{attach_read_only, open_unchecked, DAMAGED};
use super::beside::{free_name, set_aside, wal};
use super::blocks::is_used;
use super::damage::{self, Finding};
use super::error::{Error, OpenError};
use super::place::Place;
use super::schema;
use super::store::Store;
use crate::duckdb::{Cell, Connection};
use std::path::Path;

/// The rows of a row group, which share their blocks with few others.
const GROUP_ROWS: u64 = 122_880;
/// The rows of a vector, below which nothing is told apart.
const VECTOR_ROWS: u64 = 2048;

/// Opens a fresh log in the place of a damaged one, with what can be read of that; and says what was done.
pub(super) fn salvage(path: &Path, error: &str) -> Result<(Store, String), OpenError> {
    let aside = set_aside(path)
        .map_err(|io| OpenError::unusable(format!("{error}; it cannot be set aside: {io}")))?;
    let store = open_unchecked(&Place::File(path.to_path_buf()))?;
    let saved = store.take_from(&aside);
    let what = match saved {
        Ok(Saved {
            rows,
            cut,
            lost,
            lacks_rules,
        }) => {
            let mut what = format!("{rows} operations were saved from it");
            if cut > 0 {
                what += &format!(", {cut} of them without the fields that cannot be read");
            }
            if lost > 0 {
                what += &format!(", and {lost} cannot be read");
            }
            if lacks_rules {
                what += "; its retention rules cannot be read: set them anew before what they keep expires";
            }
            what
        }
        Err(_) => "nothing of it can be read".into(),
    };
    let note = format!(
        "{} was damaged and is now {}; a fresh log was begun, and {what} ({error})",
        path.display(),
        aside.display()
    );
    Ok((store, note))
}

/// Where only the write-ahead log is damaged, what it holds is lost and the log is not: it is in the journal, as far as
/// that was not given back.
pub(super) fn without_write_ahead_log(path: &Path) -> Option<(Store, String)> {
    let (wal, aside) = (wal(path), wal(&free_name(path, "damaged")));
    if !wal.is_file() || std::fs::rename(&wal, &aside).is_err() {
        return None;
    }
    match open_unchecked(&Place::File(path.to_path_buf())) {
        Ok(store) => {
            let note = format!(
                "the write-ahead log {} was damaged and is now {}; what it held is missing, as far as the journal does \
                 not have it",
                wal.display(),
                aside.display()
            );
            Some((store, note))
        }
        Err(_) => {
            // Back, to the file that it belongs to.
            let _ = std::fs::rename(&aside, &wal);
            None
        }
    }
}

/// How many rows were saved.
#[derive(Clone, Copy, Debug, Default)]
struct Saved {
    rows: u64,
    /// Those of which a field could not be read.
    cut: u64,
    lost: u64,
    /// It had retention rules, and they could not be read.
    lacks_rules: bool,
}

impl Store {
    /// Whether blocks that the log uses are damaged.
    pub fn is_damaged(&self) -> bool {
        let Some(path) = self.place.path() else {
            return false;
        };
        match damage::look(path) {
            Ok(Finding::Whole { bad_blocks }) => bad_blocks
                .iter()
                .any(|block| is_used(&self.connection, *block)),
            Ok(Finding::NoHeaders | Finding::OtherFormat(_)) => true,
            Err(_) => false,
        }
    }

    fn has(&self, sql: &str) -> Result<bool, Error> {
        Ok(self.count(sql)? > 0)
    }

    /// Takes over what can be read of a damaged log.
    fn take_from(&self, damaged: &Path) -> Result<Saved, Error> {
        let connection = &self.connection;
        attach_read_only(connection, damaged)?;
        let mut saved = self.take_rows();
        let tables = schema::tables(connection)?;
        let (rollups, others): (Vec<String>, Vec<String>) = tables
            .into_iter()
            .filter(|table| !["meta", "operation_log"].contains(&table.as_str()))
            .partition(|table| table.starts_with("rollup_"));
        // What cannot be read begins anew. A fresh log has rows of its own where there is a set to begin with.
        for table in others {
            let is_taken = take_tables(connection, std::slice::from_ref(&table)).is_ok();
            if let (Ok(saved), "retention_rules", false) = (&mut saved, table.as_str(), is_taken) {
                saved.lacks_rules = self.had(&table);
            }
        }
        // Rollups are of use only whole: they begin anew with the rows that are saved.
        if take_tables(connection, &rollups).is_err() {
            connection.execute(
                "UPDATE rollup_state SET rows_since_us = known.since_us, rollups_since_us = known.since_us
                 FROM (SELECT coalesce(min(epoch_us(timestamp)), epoch_us(now())) AS since_us FROM operation_log) AS known",
            )?;
        }
        let next_seq = connection.query(&format!(
            "SELECT greatest(
                (SELECT coalesce(max(seq), 0) + 1 FROM operation_log),
                (SELECT try_cast(value AS UBIGINT) FROM {DAMAGED}.meta WHERE key = 'next_seq')
             )::BIGINT"
        ));
        if let Ok([row]) = next_seq.as_deref() {
            if let [Cell::Integer(next_seq)] = row.as_slice() {
                schema::set_meta(connection, "next_seq", &next_seq.to_string())?;
            }
        }
        connection.execute(&format!("DETACH {DAMAGED}"))?;
        saved
    }

    /// Whether the damaged log had a table, as far as that can be told: earlier versions have fewer.
    fn had(&self, table: &str) -> bool {
        self.has(&format!(
            "SELECT count(*) FROM duckdb_tables() WHERE database_name = '{DAMAGED}' AND table_name = '{table}'"
        ))
        .unwrap_or(true)
    }

    fn take_rows(&self) -> Result<Saved, Error> {
        let rows = self.count(&format!(
            "SELECT coalesce(max(rowid), -1) + 1 FROM {DAMAGED}.operation_log"
        ))?;
        let columns = self.columns()?;
        let mut saved = Saved::default();
        let mut start = 0;
        while start < rows {
            let end = (start + GROUP_ROWS).min(rows);
            self.take_range(start, end, &columns, &mut saved);
            start = end;
        }
        Ok(saved)
    }

    /// The names of the log's columns, and whether they may be NULL.
    fn columns(&self) -> Result<Vec<(String, bool)>, Error> {
        let listed = self.connection.query(
            "SELECT column_name, is_nullable FROM duckdb_columns()
             WHERE database_name = current_database() AND table_name = 'operation_log'
             ORDER BY column_index",
        )?;
        Ok(listed
            .into_iter()
            .filter_map(|row| match row.as_slice() {
                [Cell::Text(name), Cell::Boolean(nullable)] => Some((name.to_string(), *nullable)),
                _ => None,
            })
            .collect())
    }

    /// Takes the rows between two row ids: all at once, or where that fails in smaller steps, or without the columns that
    /// cannot be read.
    fn take_range(&self, start: u64, end: u64, columns: &[(String, bool)], saved: &mut Saved) {
        let list = |bad: &[&str]| {
            let listed: Vec<String> = columns
                .iter()
                .map(|(name, _)| {
                    if bad.contains(&name.as_str()) {
                        format!("NULL AS \"{name}\"")
                    } else {
                        format!("\"{name}\"")
                    }
                })
                .collect();
            listed.join(", ")
        };
        let take = |listed: &str| -> Result<u64, Error> {
            self.count(&format!(
                "INSERT INTO operation_log SELECT {listed} FROM {DAMAGED}.operation_log
                 WHERE rowid >= {start} AND rowid < {end}"
            ))
        };
        if let Ok(rows) = take(&list(&[])) {
            saved.rows += rows;
            return;
        }
        if end - start > VECTOR_ROWS {
            let mut from = start;
            while from < end {
                let to = (from + VECTOR_ROWS).min(end);
                self.take_range(from, to, columns, saved);
                from = to;
            }
            return;
        }
        let is_bad = |name: &str| {
            let sql = format!(
                "SELECT max(hash(\"{name}\")) FROM {DAMAGED}.operation_log
                 WHERE rowid >= {start} AND rowid < {end}"
            );
            self.connection.query(&sql).is_err()
        };
        let bad: Vec<&str> = columns
            .iter()
            .map(|(name, _)| name.as_str())
            .filter(|name| is_bad(name))
            .collect();
        let spared = columns
            .iter()
            .all(|(name, nullable)| *nullable || !bad.contains(&name.as_str()));
        match spared.then(|| take(&list(&bad))) {
            Some(Ok(rows)) => {
                saved.rows += rows;
                saved.cut += rows;
            }
            _ => saved.lost += end - start,
        }
    }
}

/// Takes tables of a damaged log as they are, all or none.
fn take_tables(connection: &Connection, tables: &[String]) -> Result<(), Error> {
    connection.transaction(|connection| {
        for table in tables {
            connection.execute(&format!(
                "DELETE FROM {table}; INSERT INTO {table} BY NAME SELECT * FROM {DAMAGED}.{table}"
            ))?;
        }
        Ok(())
    })
}
