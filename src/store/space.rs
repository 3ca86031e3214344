//! What a log takes.

use super::error::Error;
use super::place::Place;
use crate::duckdb::{Cell, Connection};
use crate::record::{Field, Kind};

pub(super) fn used_bytes(
    connection: &Connection,
    catalog: &str,
    place: &Place,
) -> Result<u64, Error> {
    let sql = match place {
        Place::File(_) => format!(
            "SELECT block_size * used_blocks FROM pragma_database_size() WHERE database_name = '{catalog}'"
        ),
        // The private instance has no other tables in memory.
        Place::Memory => {
            // Texts of more than 4 KB stand apart.
            "SELECT sum(memory_usage_bytes)::BIGINT FROM duckdb_memory()
             WHERE tag IN ('IN_MEMORY_TABLE', 'OVERFLOW_STRINGS')"
                .to_owned()
        }
    };
    let blocks = match connection.query(&sql)?.first().map(Vec::as_slice) {
        Some([Cell::Integer(bytes)]) => u64::try_from(*bytes).unwrap_or(0),
        _ => 0,
    };
    Ok(blocks + wal_bytes(place))
}

/// The size of the log's write-ahead log.
pub(super) fn wal_bytes(place: &Place) -> u64 {
    place
        .path()
        .and_then(|path| std::fs::metadata(format!("{}.wal", path.display())).ok())
        .map_or(0, |file| file.len())
}

/// What a row takes, as SQL: its texts, and about what all the rest does.
pub(super) fn row_bytes() -> String {
    let texts = Field::stored().iter().filter(|field| {
        matches!(
            field.kind(),
            Kind::Text | Kind::Status | Kind::Json | Kind::TraceParent
        )
    });
    texts.fold("100".to_owned(), |sum, field| {
        format!("{sum} + coalesce(strlen({}), 0)", field.name())
    })
}
