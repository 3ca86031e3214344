//! What DuckDB opened for us, closed when the last who uses it is gone: a connection keeps its database, and statements,
//! their rows and appenders keep their connection.

use super::ffi;
use std::sync::Arc;

pub(super) struct Database {
    pub(super) raw: ffi::duckdb_database,
}

// SAFETY: the C API documents a database handle as usable from every thread.
unsafe impl Send for Database {}
// SAFETY: as above.
unsafe impl Sync for Database {}

impl Drop for Database {
    fn drop(&mut self) {
        // SAFETY: owned, closed once.
        unsafe { ffi::duckdb_close(&mut self.raw) };
    }
}

pub(super) struct ConnectionHandle {
    pub(super) raw: ffi::duckdb_connection,
    pub(super) _database: Arc<Database>,
}

// SAFETY: DuckDB locks a connection's context inside; results are read by one owner at a time.
unsafe impl Send for ConnectionHandle {}
// SAFETY: as above.
unsafe impl Sync for ConnectionHandle {}

impl Drop for ConnectionHandle {
    fn drop(&mut self) {
        // SAFETY: owned, disconnected once.
        unsafe { ffi::duckdb_disconnect(&mut self.raw) };
    }
}
