//! A log in memory: tables of bounded size under one view, so that the oldest operations go by dropping a table.
//!
//! To delete rows, to rewrite what is left and to checkpoint all need memory at the moment when there is none, and a
//! checkpoint in memory that fails takes its database with it. To drop a table needs nothing. What is full is compressed
//! in a database of its own, and lets go of the table that it was copied from only when that has worked.

use super::error::Error;
use crate::duckdb::Connection;
use std::collections::VecDeque;

pub(super) struct Segment {
    pub number: u64,
    pub rows: u64,
    /// About what it took before it was compressed.
    pub bytes: u64,
    pub is_compressed: bool,
}

impl Segment {
    pub fn new(number: u64) -> Self {
        Self {
            number,
            rows: 0,
            bytes: 0,
            is_compressed: false,
        }
    }

    /// Its table, as it is named from everywhere.
    pub fn table(&self, catalog: &str) -> String {
        if self.is_compressed {
            format!("{}.main.operation_log", self.database(catalog))
        } else {
            format!("{catalog}.main.{}", self.name())
        }
    }

    /// The table's name while it is not compressed.
    pub fn name(&self) -> String {
        format!("operation_log_{}", self.number)
    }

    /// The database that it is compressed in.
    pub fn database(&self, catalog: &str) -> String {
        format!("{catalog}_{}", self.number)
    }
}

/// The tables of a log in memory, the oldest first. Rows go into the last one.
pub struct Segments {
    pub segments: VecDeque<Segment>,
    /// What they have grown by since their size was looked at.
    pub grown: u64,
    /// Databases of tables that are gone. Whoever was asking while they went may need the name for a moment.
    pub emptied: Vec<String>,
}

impl Segments {
    /// Puts the view in the place of the table that the schema has made.
    pub fn begin(connection: &Connection, catalog: &str) -> Result<Self, Error> {
        let first = Segment::new(1);
        connection.execute(&format!(
            "ALTER TABLE operation_log RENAME TO {}",
            first.name()
        ))?;
        let segments = Self {
            segments: VecDeque::from([first]),
            grown: 0,
            emptied: Vec::new(),
        };
        segments.create_view(connection, catalog)?;
        Ok(segments)
    }

    /// The table that takes more rows, by its name in the log.
    pub fn active(&self) -> String {
        self.segments.back().map(Segment::name).unwrap_or_default()
    }

    pub fn create_view(&self, connection: &Connection, catalog: &str) -> Result<(), Error> {
        let tables: Vec<String> = self
            .segments
            .iter()
            .map(|segment| format!("SELECT * FROM {}", segment.table(catalog)))
            .collect();
        Ok(connection.execute(&format!(
            "CREATE OR REPLACE VIEW {catalog}.operation_log AS {}",
            tables.join(" UNION ALL ")
        ))?)
    }

    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }
}
