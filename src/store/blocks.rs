//! Which blocks of its file a log uses.

use super::read::count;
use super::schema;
use crate::duckdb::Connection;

/// Whether the connection's default database uses a block. Where that cannot be told, it does.
pub(super) fn is_used(connection: &Connection, block: u64) -> bool {
    let has = |sql: &str| count(connection, sql).map_or(true, |found| found > 0);
    let Ok(tables) = schema::tables(connection) else {
        return true;
    };
    let in_data = tables.iter().any(|table| {
        has(&format!(
            "SELECT count(*) FROM pragma_storage_info('{table}')
             WHERE block_id = {block} OR list_contains(additional_block_ids, {block})"
        ))
    });
    in_data
        || has(&format!(
            "SELECT count(*) FROM pragma_metadata_info() WHERE block_id = {block}"
        ))
}
