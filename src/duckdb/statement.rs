//! A statement in the private instance and its rows: copied to the host, or read here.

use super::cell::Cell;
use super::handles::ConnectionHandle;
use super::resolved_type::ResolvedType;
use super::table_function::TableOutput;
use super::vector_reader::Chunk;
use super::{c_text, ffi, take_text, text_from, Error, LogicalType, OwnedChunk, VECTOR_SIZE};
use std::sync::{Arc, Weak};

/// A prepared statement with named parameters.
pub struct Statement {
    pub(super) raw: ffi::duckdb_prepared_statement,
    pub(super) connection: Arc<ConnectionHandle>,
}

// SAFETY: the statement is owned and used by one thread at a time.
unsafe impl Send for Statement {}

impl Statement {
    /// Names and types of the result's columns.
    pub fn columns(&self) -> Vec<(String, LogicalType)> {
        // SAFETY: the statement is live; indexes stay below the count; name and type are made for us.
        unsafe {
            (0..ffi::duckdb_prepared_statement_column_count(self.raw))
                .map(|index| {
                    (
                        take_text(
                            ffi::duckdb_prepared_statement_column_name(self.raw, index).cast_mut(),
                        ),
                        LogicalType::from_raw(ffi::duckdb_prepared_statement_column_logical_type(
                            self.raw, index,
                        )),
                    )
                })
                .collect()
        }
    }

    /// Binds a parameter by its name, written `$name` in the statement. A name that the statement lacks is passed over.
    fn bind(
        &self,
        name: &str,
        bind: impl FnOnce(ffi::duckdb_prepared_statement, ffi::idx_t) -> ffi::duckdb_state,
    ) -> Result<(), Error> {
        let text = c_text(name);
        let mut index = 0;
        // SAFETY: the statement is live.
        let found =
            unsafe { ffi::duckdb_bind_parameter_index(self.raw, &mut index, text.as_ptr()) };
        if found != ffi::DuckDBSuccess {
            return Ok(());
        }
        if bind(self.raw, index) == ffi::DuckDBSuccess {
            return Ok(());
        }
        Err(Error::new(format!("the parameter ${name} cannot be bound")))
    }

    pub fn bind_text(&self, name: &str, value: &str) -> Result<(), Error> {
        // SAFETY: the statement is live; the text is copied.
        self.bind(name, |raw, index| unsafe {
            ffi::duckdb_bind_varchar_length(raw, index, value.as_ptr().cast(), value.len() as u64)
        })
    }

    pub fn bind_null(&self, name: &str) -> Result<(), Error> {
        // SAFETY: the statement is live.
        self.bind(name, |raw, index| unsafe {
            ffi::duckdb_bind_null(raw, index)
        })
    }

    pub fn bind_i64(&self, name: &str, value: i64) -> Result<(), Error> {
        // SAFETY: the statement is live.
        self.bind(name, |raw, index| unsafe {
            ffi::duckdb_bind_int64(raw, index, value)
        })
    }

    pub fn bind_f64(&self, name: &str, value: f64) -> Result<(), Error> {
        // SAFETY: the statement is live.
        self.bind(name, |raw, index| unsafe {
            ffi::duckdb_bind_double(raw, index, value)
        })
    }

    /// Binds a TIMESTAMP WITH TIME ZONE from microseconds since 1970.
    pub fn bind_timestamp(&self, name: &str, micros: i64) -> Result<(), Error> {
        // SAFETY: the statement is live.
        self.bind(name, |raw, index| unsafe {
            ffi::duckdb_bind_timestamp_tz(raw, index, ffi::duckdb_timestamp { micros })
        })
    }

    /// Stops the statement and the reading of its rows from another thread.
    pub fn interrupter(&self) -> Interrupter {
        Interrupter {
            connection: Arc::downgrade(&self.connection),
        }
    }

    /// Runs the statement; rows are produced as they are read.
    pub fn execute(self) -> Result<Rows, Error> {
        // SAFETY: the statement is live; the result is destroyed on every path.
        unsafe {
            let mut result = std::mem::zeroed::<ffi::duckdb_result>();
            let state = ffi::duckdb_execute_prepared_streaming(self.raw, &mut result);
            if state != ffi::DuckDBSuccess {
                let error = Error::of_result(&mut result);
                ffi::duckdb_destroy_result(&mut result);
                return Err(error);
            }
            Ok(Rows::new(result, self))
        }
    }
}

impl Drop for Statement {
    fn drop(&mut self) {
        // SAFETY: owned, destroyed once.
        unsafe { ffi::duckdb_destroy_prepare(&mut self.raw) };
    }
}

/// Makes what a connection runs now fail with an error. It keeps nothing open, and does nothing where nothing runs: what
/// starts a moment later is not stopped.
pub struct Interrupter {
    connection: Weak<ConnectionHandle>,
}

impl Interrupter {
    pub fn interrupt(&self) {
        if let Some(connection) = self.connection.upgrade() {
            // SAFETY: the connection is live; the C API documents the call for use from another thread.
            unsafe { ffi::duckdb_interrupt(connection.raw) };
        }
    }
}

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

    pub(super) fn fetch(&mut self) -> Result<Option<FetchedChunk>, Error> {
        // SAFETY: the result is live; the chunk becomes ours.
        let raw = unsafe { ffi::duckdb_fetch_chunk(self.result) };
        if !raw.is_null() {
            return Ok(Some(FetchedChunk { raw }));
        }
        // SAFETY: the result is live; the text is borrowed from it and copied at once.
        unsafe {
            if text_from(ffi::duckdb_result_error(&mut self.result)).is_empty() {
                Ok(None)
            } else {
                Err(Error::of_result(&mut self.result))
            }
        }
    }

    /// Copies the next chunk into the host's, column by column as `columns` says, and returns its rows. Nothing of the
    /// private instance is referenced afterwards, so the host may keep the chunk as long as it likes.
    pub fn next_into(
        &mut self,
        output: &mut TableOutput,
        columns: &[usize],
    ) -> Result<usize, Error> {
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
    pub fn count(&mut self) -> Result<usize, Error> {
        Ok(match self.collect()?.first().map(Vec::as_slice) {
            Some([Cell::Integer(count)]) => usize::try_from(*count).unwrap_or(0),
            _ => 0,
        })
    }

    /// All rows that are left, for results that are known to be small.
    pub fn collect(&mut self) -> Result<Vec<Vec<Cell<'static>>>, Error> {
        let types = self.types();
        let resolved_types: Vec<ResolvedType> = types.iter().map(ResolvedType::of).collect();
        if resolved_types
            .iter()
            .any(|resolved_type| !matches!(resolved_type, ResolvedType::Plain(_)))
        {
            return Err(Error::new("a nested column cannot be read here"));
        }
        let mut rows = Vec::new();
        while let Some(flat) = self.next_flat(&types)? {
            // SAFETY: the chunk is flat and of the result's types.
            let view = unsafe { Chunk::new(flat.raw(), &resolved_types) };
            for row in 0..view.rows() {
                let cells = (0..resolved_types.len()).map(|index| {
                    Ok(match view.column(index).cell(row) {
                        Cell::Text(text) => Cell::Text(text.into_owned().into()),
                        Cell::NotUtf8(bytes) => {
                            return Err(Error::new(format!("a text is {bytes}")))
                        }
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
                rows.push(cells.collect::<Result<_, Error>>()?);
            }
        }
        Ok(rows)
    }

    /// The next chunk, where one is left. A fetched one may hold constant or dictionary vectors; a copy into flat ones can
    /// be read row by row.
    pub(super) fn next_flat(&mut self, types: &[LogicalType]) -> Result<Option<OwnedChunk>, Error> {
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

pub(super) struct FetchedChunk {
    pub(super) raw: ffi::duckdb_data_chunk,
}

impl Drop for FetchedChunk {
    fn drop(&mut self) {
        // SAFETY: owned, destroyed once.
        unsafe { ffi::duckdb_destroy_data_chunk(&mut self.raw) };
    }
}
