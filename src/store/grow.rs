//! How a log in memory grows and shrinks, table by table.

use super::deciders::RetentionPolicy;
use super::error::Error;
use super::retain::note_missing;
use super::segments::{Segment, Segments};
use super::store::Store;

/// A table is full at this share of what the log may take,
const SHARE_OF_LIMIT: u64 = 8;

/// and not before it takes so much: each column of a table has blocks of its own.
const FULL_BYTES_MIN: u64 = 8_000_000;

/// Rows that are larger are not compressed: DuckDB takes seconds for a table of long texts, in which nothing is committed.
const COMPRESSED_ROW_BYTES_MAX: u64 = 768;

/// What a row takes in DuckDB's memory besides its texts.
const ROW_BYTES: usize = 256;

fn full_bytes(max_bytes: u64) -> u64 {
    (max_bytes / SHARE_OF_LIMIT).max(FULL_BYTES_MIN)
}

impl Store {
    /// Notes what was committed, begins another table when the last one is full, and drops the oldest ones of a log that
    /// has become too large; returns how many rows went.
    pub fn grow(
        &mut self,
        rows: usize,
        bytes: usize,
        policy: &RetentionPolicy,
        now_us: i64,
    ) -> Result<u64, Error> {
        let full_bytes = full_bytes(self.max_bytes(policy));
        let Some(segments) = &mut self.segments else {
            return Ok(0);
        };
        let Some(active) = segments.segments.back_mut() else {
            return Ok(0);
        };
        let bytes = (bytes + ROW_BYTES * rows) as u64;
        active.rows += rows as u64;
        active.bytes += bytes;
        segments.grown += bytes;
        let is_full = active.bytes >= full_bytes;
        // Asked only now and then: the engine counts its memory block by block.
        let has_grown = segments.grown >= full_bytes / 2;
        if is_full {
            self.begin_table()?;
            self.compress();
        }
        if !has_grown {
            return Ok(0);
        }
        if let Some(segments) = &mut self.segments {
            segments.grown = 0;
        }
        self.purge_by_size(self.max_bytes(policy), now_us)
    }

    fn begin_table(&mut self) -> Result<(), Error> {
        let Some(segments) = &mut self.segments else {
            return Ok(());
        };
        for database in segments.emptied.drain(..) {
            // One that is still read goes with the instance.
            let _ = self.connection.execute(&format!("DETACH {database}"));
        }
        let Some(active) = segments.segments.back() else {
            return Ok(());
        };
        let next = Segment::new(active.number + 1);
        self.connection.execute(&format!(
            "CREATE TABLE {} AS FROM {} LIMIT 0",
            next.name(),
            active.name()
        ))?;
        segments.segments.push_back(next);
        self.refresh_view()
    }

    /// Compresses the table that was filled last. It is not lost where that fails: it takes more room, no more.
    fn compress(&mut self) {
        let catalog = self.catalog.clone();
        let Some(segments) = &mut self.segments else {
            return;
        };
        let at = segments.segments.len().saturating_sub(2);
        let is_due = |full: &&mut Segment| {
            !full.is_compressed && full.bytes <= full.rows * COMPRESSED_ROW_BYTES_MAX
        };
        let Some(full) = segments.segments.get_mut(at).filter(is_due) else {
            return;
        };
        let (name, database) = (full.table(&catalog), full.database(&catalog));
        let compressed = self.connection.execute(&format!(
            "ATTACH ':memory:' AS {database} (COMPRESS);
             CREATE TABLE {database}.operation_log AS FROM {name};
             CHECKPOINT {database}"
        ));
        full.is_compressed = compressed.is_ok();
        let unused = if full.is_compressed && self.refresh_view().is_ok() {
            format!("DROP TABLE {name}")
        } else {
            format!("DETACH DATABASE IF EXISTS {database}")
        };
        let _ = self.connection.execute(&unused);
    }

    fn refresh_view(&self) -> Result<(), Error> {
        match &self.segments {
            Some(segments) => segments.create_view(&self.connection, &self.catalog),
            None => Ok(()),
        }
    }

    /// The tables that rows stand in.
    pub(super) fn tables(&self) -> Vec<String> {
        match &self.segments {
            Some(segments) => segments
                .segments
                .iter()
                .map(|segment| segment.table(&self.catalog))
                .collect(),
            None => vec!["operation_log".to_owned()],
        }
    }

    /// Drops the oldest tables of a log in memory that takes so much more than it may; returns how many rows went.
    pub(super) fn drop_oldest_tables(&mut self, used: u64, excess: u64) -> Result<u64, Error> {
        let (mut freed, mut rows) = (0, 0);
        while freed < excess {
            let Some(segments) = &self.segments else {
                break;
            };
            // Memory may be given back late, so what a table takes is its share, and not what is measured then.
            let all = segments.bytes().max(1);
            let oldest = segments.segments.front().map_or(0, |oldest| oldest.bytes);
            match self.drop_oldest_table()? {
                Some(dropped) => rows += dropped,
                None => break,
            }
            freed += (used as f64 * oldest as f64 / all as f64) as u64;
        }
        Ok(rows)
    }

    /// Drops the oldest table with its rows, and returns how many those were; none where no rows are left.
    pub(super) fn drop_oldest_table(&mut self) -> Result<Option<u64>, Error> {
        let is_only_one = match &self.segments {
            None => return Ok(None),
            Some(segments) => segments.segments.len() < 2,
        };
        if is_only_one {
            let rows = |segments: &Segments| segments.segments.back().map_or(0, |only| only.rows);
            if self.segments.as_ref().map_or(0, rows) == 0 {
                return Ok(None);
            }
            self.begin_table()?;
        }
        let catalog = self.catalog.clone();
        let Some(segments) = &mut self.segments else {
            return Ok(None);
        };
        let Some(oldest) = segments.segments.pop_front() else {
            return Ok(None);
        };
        if oldest.is_compressed {
            segments.emptied.push(oldest.database(&catalog));
        }
        let table = oldest.table(&catalog);
        note_missing(&self.connection, &table, "true")?;
        // Some have gone by their age.
        let rows = self.count(&format!("SELECT count(*) FROM {table}"));
        self.refresh_view()?;
        self.connection.execute(&format!("DROP TABLE {table}"))?;
        Ok(Some(rows.unwrap_or(oldest.rows)))
    }
}
