//! Appending batches: from the record path's columns to DuckDB's, a full vector at a time.

use super::columns::{column_type, Column};
use super::error::Error;
use super::schema;
use super::segments::Segments;
use super::store::{SettingChange, Store};
use crate::duckdb::{Appender, ColumnMut, OwnedChunk, TypeId, VECTOR_SIZE};
use crate::metrics::Changes;
use crate::record::{Batch, Field, Pending, Stamp};

impl Store {
    /// Appends batches and what else is to be remembered in one transaction: all of it is committed, or nothing.
    pub fn commit(
        &mut self,
        pending: &[Pending],
        settings: &[SettingChange],
        totals: &Changes,
    ) -> Result<(), Error> {
        let table = self
            .segments
            .as_ref()
            .map_or("operation_log".to_owned(), Segments::active);
        self.connection.transaction(|connection| {
            if let Some((stamp, batch)) = pending.last() {
                let appender = connection.appender(&self.catalog, &table)?;
                let mut filler = Filler::new(appender, &self.columns.0);
                for (stamp, batch) in pending {
                    filler.fill(*stamp, batch)?;
                }
                filler.finish()?;
                let next_seq = stamp.first_seq + batch.rows() as u64;
                schema::set_meta(connection, "next_seq", &next_seq.to_string())?;
            }
            for (name, value) in settings {
                schema::put_setting(connection, name, value.as_deref())?;
            }
            self.put_totals(connection, totals)
        })
    }
}

/// Fills chunks from batches of any size and appends the full ones.
struct Filler<'a> {
    appender: Appender,
    columns: &'a [Column],
    chunk: OwnedChunk,
    rows: usize,
}

impl<'a> Filler<'a> {
    fn new(appender: Appender, columns: &'a [Column]) -> Self {
        let types: Vec<TypeId> = columns.iter().map(|column| column.type_id()).collect();
        Self {
            appender,
            columns,
            chunk: OwnedChunk::new(&types),
            rows: 0,
        }
    }

    fn fill(&mut self, stamp: Stamp, batch: &Batch) -> Result<(), Error> {
        let mut start = 0;
        while start < batch.rows() {
            let count = (batch.rows() - start).min(VECTOR_SIZE - self.rows);
            self.fill_part(stamp, batch, start, count);
            start += count;
            self.rows += count;
            if self.rows == VECTOR_SIZE {
                self.append()?;
            }
        }
        Ok(())
    }

    fn fill_part(&mut self, stamp: Stamp, batch: &Batch, start: usize, count: usize) {
        let to = self.rows;
        for (index, column) in self.columns.iter().enumerate() {
            let mut target = self.chunk.column_mut(index);
            match column {
                Column::Field(field) => {
                    fill_field(target, to, *field, stamp, batch, start, count);
                }
                Column::Id => {
                    for row in 0..count {
                        target.set_uuid(to + row, stamp.ids.id(start + row));
                    }
                }
                Column::Source => {
                    for row in 0..count {
                        target.set_text(to + row, batch.source.name());
                    }
                }
                Column::HostConnectionId => {
                    for row in 0..count {
                        target.set_u64(to + row, batch.connection_id);
                    }
                }
                Column::Seq => {
                    for row in 0..count {
                        target.set_u64(to + row, stamp.first_seq + (start + row) as u64);
                    }
                }
            }
        }
    }

    fn append(&mut self) -> Result<(), Error> {
        self.chunk.set_rows(self.rows);
        self.appender.append(&self.chunk)?;
        self.chunk.reset();
        self.rows = 0;
        Ok(())
    }

    fn finish(mut self) -> Result<(), Error> {
        if self.rows > 0 {
            self.append()?;
        }
        Ok(self.appender.finish()?)
    }
}

/// Fills so many rows of a field's column from row `to` on.
fn fill_field(
    mut column: ColumnMut<'_>,
    to: usize,
    field: Field,
    stamp: Stamp,
    batch: &Batch,
    start: usize,
    count: usize,
) {
    let has_default = field == Field::Status || !field.default().is_empty();
    match column_type(field) {
        TypeId::Varchar if has_default => {
            for row in 0..count {
                column.set_text(to + row, batch.text_or_default(field, start + row));
            }
        }
        TypeId::Varchar => {
            for row in 0..count {
                match batch.text(field, start + row) {
                    Some(text) => column.set_text(to + row, text),
                    None => column.set_null(to + row),
                }
            }
        }
        TypeId::TimestampTz => {
            for row in 0..count {
                let given = batch.number(field, start + row).map(|us| us as i64);
                column.set_i64(to + row, given.unwrap_or(stamp.recorded_at_us));
            }
        }
        _ => {
            for row in 0..count {
                match batch.number(field, start + row) {
                    Some(bits) => column.set_u64(to + row, bits),
                    None => column.set_null(to + row),
                }
            }
        }
    }
}
