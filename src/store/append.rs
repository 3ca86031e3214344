//! Appending batches: from the record path's columns to DuckDB's, a full vector at a time.

use super::error::Error;
use super::schema;
use super::segments::Segments;
use super::store::{SettingChange, Store};
use crate::duckdb::{Appender, OwnedChunk, TypeId, VECTOR_SIZE};
use crate::metrics::Changes;
use crate::record::{Batch, Field, Kind, Pending, Stamp};

/// Columns of `operation_log` before and behind the ones that callers give (see sql/schema).
const TYPES_BEFORE: &[TypeId] = &[TypeId::Uuid];
const TYPES_BEHIND: &[TypeId] = &[TypeId::Varchar, TypeId::UBigInt, TypeId::UBigInt];

/// The order of the columns in the table: `timestamp` leads, then as the fields are declared.
fn column_order() -> impl Iterator<Item = Field> {
    std::iter::once(Field::Timestamp).chain(
        Field::stored()
            .iter()
            .copied()
            .filter(|field| *field != Field::Timestamp),
    )
}

fn column_type(field: Field) -> TypeId {
    match field.kind() {
        Kind::Milliseconds => TypeId::Double,
        Kind::Count => TypeId::BigInt,
        Kind::Time => TypeId::TimestampTz,
        Kind::Text | Kind::Status | Kind::Json | Kind::TraceParent => TypeId::Varchar,
    }
}

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
                let mut filler = Filler::new(connection.appender(&self.catalog, &table)?);
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
struct Filler {
    appender: Appender,
    chunk: OwnedChunk,
    rows: usize,
}

impl Filler {
    fn new(appender: Appender) -> Self {
        let mut types = TYPES_BEFORE.to_vec();
        types.extend(column_order().map(column_type));
        types.extend(TYPES_BEHIND);
        Self {
            appender,
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
        let mut column = self.chunk.column_mut(0);
        for row in 0..count {
            column.set_uuid(to + row, stamp.ids.id(start + row));
        }
        for (index, field) in column_order().enumerate() {
            self.fill_field(
                TYPES_BEFORE.len() + index,
                field,
                stamp,
                batch,
                start,
                count,
            );
        }
        let behind = TYPES_BEFORE.len() + Field::stored().len();
        let mut column = self.chunk.column_mut(behind);
        for row in 0..count {
            column.set_text(to + row, batch.source.name());
        }
        let mut column = self.chunk.column_mut(behind + 1);
        for row in 0..count {
            column.set_u64(to + row, batch.connection_id);
        }
        let mut column = self.chunk.column_mut(behind + 2);
        for row in 0..count {
            column.set_u64(to + row, stamp.first_seq + (start + row) as u64);
        }
    }

    fn fill_field(
        &mut self,
        index: usize,
        field: Field,
        stamp: Stamp,
        batch: &Batch,
        start: usize,
        count: usize,
    ) {
        let to = self.rows;
        let mut column = self.chunk.column_mut(index);
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
