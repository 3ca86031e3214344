//! Appending rows that are no operations, a full vector at a time.

use super::error::Error;
use crate::duckdb::{Connection, OwnedChunk, TypeId, VECTOR_SIZE};

/// Appends rows to a table; `put` writes one into a chunk with columns of these types.
pub fn append<T>(
    connection: &Connection,
    catalog: &str,
    table: &str,
    types: &[TypeId],
    rows: &[T],
    put: impl Fn(&mut OwnedChunk, usize, &T),
) -> Result<(), Error> {
    let mut appender = connection.appender(catalog, table)?;
    let mut chunk = OwnedChunk::new(types);
    for rows in rows.chunks(VECTOR_SIZE) {
        for (at, row) in rows.iter().enumerate() {
            put(&mut chunk, at, row);
        }
        chunk.set_rows(rows.len());
        appender.append(&chunk)?;
        chunk.reset();
    }
    Ok(appender.finish()?)
}
