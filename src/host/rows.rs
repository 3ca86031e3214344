//! The rows of a query in the private instance: copied to the host, or read here.

use super::instance::Statement;
use super::shape::Shape;
use super::table::TableOutput;
use super::vector::{Cell, Chunk};
use super::{ffi, text_from, LogicalType, OwnedChunk, VECTOR_SIZE};

/// The rows of a running query.
pub struct Rows {
    result: ffi::duckdb_result,
    /// The selection of rows 0, 1, 2, …: what "copy the whole vector" is spelled as.
    all_rows: ffi::duckdb_selection_vector,
    _statement: Statement,
}

// SAFETY: the result is owned and used by one thread at a time.
unsafe impl Send for Rows {}

impl Rows {
    pub(super) fn new(result: ffi::duckdb_result, statement: Statement) -> Self {
        // SAFETY: the selection vector is ours and has `VECTOR_SIZE` entries.
        let all_rows = unsafe {
            let all_rows = ffi::duckdb_create_selection_vector(VECTOR_SIZE as u64);
            let entries = ffi::duckdb_selection_vector_get_data_ptr(all_rows);
            for row in 0..VECTOR_SIZE {
                *entries.add(row) = row as u32;
            }
            all_rows
        };
        Self {
            result,
            all_rows,
            _statement: statement,
        }
    }

    fn fetch(&mut self) -> Result<Option<FetchedChunk>, String> {
        // SAFETY: the result is live; the chunk becomes ours.
        let raw = unsafe { ffi::duckdb_fetch_chunk(self.result) };
        if !raw.is_null() {
            return Ok(Some(FetchedChunk { raw }));
        }
        // SAFETY: the result is live; the text is borrowed from it and copied at once.
        let error = unsafe { text_from(ffi::duckdb_result_error(&mut self.result)) };
        if error.is_empty() {
            Ok(None)
        } else {
            Err(error)
        }
    }

    /// Copies the next chunk into the host's, column by column as `columns` says, and returns its rows. Nothing of the
    /// private instance is referenced afterwards, so the host may keep the chunk as long as it likes.
    pub fn next_into(
        &mut self,
        output: &mut TableOutput,
        columns: &[usize],
    ) -> Result<usize, String> {
        loop {
            let Some(chunk) = self.fetch()? else {
                return Ok(0);
            };
            // SAFETY: source and target are live, of equal types, and have room for a full vector.
            unsafe {
                let rows = ffi::duckdb_data_chunk_get_size(chunk.raw);
                if rows == 0 {
                    continue;
                }
                for (to, from) in columns.iter().enumerate() {
                    ffi::duckdb_vector_copy_sel(
                        ffi::duckdb_data_chunk_get_vector(chunk.raw, *from as u64),
                        output.vector(to),
                        self.all_rows,
                        rows,
                        0,
                        0,
                    );
                }
                return Ok(rows as usize);
            }
        }
    }

    /// The number in the first cell, such as count(*) gives or DuckDB answers to a DELETE; 0 where there is none.
    pub fn count(&mut self) -> Result<usize, String> {
        Ok(match self.collect()?.first().map(Vec::as_slice) {
            Some([Cell::Integer(count)]) => usize::try_from(*count).unwrap_or(0),
            _ => 0,
        })
    }

    /// All rows that are left, for results that are known to be small.
    pub fn collect(&mut self) -> Result<Vec<Vec<Cell<'static>>>, String> {
        let types = self.types();
        let shapes: Vec<Shape> = types.iter().map(Shape::of).collect();
        if shapes.iter().any(|shape| !matches!(shape, Shape::Plain(_))) {
            return Err("a nested column cannot be read here".into());
        }
        let mut rows = Vec::new();
        while let Some(flat) = self.next_flat(&types)? {
            // SAFETY: the chunk is flat and of the result's types.
            let view = unsafe { Chunk::new(flat.raw(), &shapes) };
            for row in 0..view.rows() {
                let cells = (0..shapes.len()).map(|index| {
                    Ok(match view.column(index).cell(row) {
                        Cell::Text(text) => Cell::Text(text.into_owned().into()),
                        Cell::NotUtf8(bytes) => return Err(format!("a text is {bytes}")),
                        Cell::Null => Cell::Null,
                        Cell::Boolean(value) => Cell::Boolean(value),
                        Cell::Integer(value) => Cell::Integer(value),
                        Cell::Double(value) => Cell::Double(value),
                        Cell::Timestamp(value) => Cell::Timestamp(value),
                        Cell::LocalTimestamp(value) => Cell::LocalTimestamp(value),
                        Cell::Interval(value) => Cell::Interval(value),
                        Cell::Other(value) => Cell::Other(value),
                    })
                });
                rows.push(cells.collect::<Result<_, String>>()?);
            }
        }
        Ok(rows)
    }

    /// The next chunk, where one is left. A fetched one may hold constant or dictionary vectors; a copy into flat ones can
    /// be read row by row.
    pub(super) fn next_flat(
        &mut self,
        types: &[LogicalType],
    ) -> Result<Option<OwnedChunk>, String> {
        let Some(chunk) = self.fetch()? else {
            return Ok(None);
        };
        let mut flat = OwnedChunk::of(types);
        // SAFETY: both chunks are live and of equal types; a full vector has room for all rows.
        unsafe {
            let rows = ffi::duckdb_data_chunk_get_size(chunk.raw);
            for index in 0..types.len() as u64 {
                ffi::duckdb_vector_copy_sel(
                    ffi::duckdb_data_chunk_get_vector(chunk.raw, index),
                    ffi::duckdb_data_chunk_get_vector(flat.raw(), index),
                    self.all_rows,
                    rows,
                    0,
                    0,
                );
            }
            flat.set_rows(rows as usize);
        }
        Ok(Some(flat))
    }

    pub(super) fn result(&mut self) -> *mut ffi::duckdb_result {
        &mut self.result
    }

    /// The columns' types.
    pub(super) fn types(&mut self) -> Vec<LogicalType> {
        let result = self.result();
        // SAFETY: the result is live; indexes stay below the count; the types are made for us.
        unsafe {
            (0..ffi::duckdb_column_count(result))
                .map(|index| LogicalType::from_raw(ffi::duckdb_column_logical_type(result, index)))
                .collect()
        }
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        // SAFETY: both are owned and destroyed once, before the statement and its connection.
        unsafe {
            ffi::duckdb_destroy_result(&mut self.result);
            ffi::duckdb_destroy_selection_vector(self.all_rows);
        }
    }
}

struct FetchedChunk {
    raw: ffi::duckdb_data_chunk,
}

impl Drop for FetchedChunk {
    fn drop(&mut self) {
        // SAFETY: owned, destroyed once.
        unsafe { ffi::duckdb_destroy_data_chunk(&mut self.raw) };
    }
}
