//! `LOAD`: the function table, and what is registered during it.

use super::callback::contain;
use super::{c_text, ffi, text_from, Context};
use std::marker::PhantomData;

pub use ffi::{duckdb_extension_access as ExtensionAccess, duckdb_extension_info as ExtensionInfo};

/// The C API version that the extension is built against: the first in which all that oplog needs is stable. The
/// footer names the same one, and an older engine refuses the file with a message that says so.
const C_API_VERSION: &str = "v1.5.6";

/// The instance that loads the extension. It exists during `LOAD` only: a connection that lived longer would keep the
/// host's file open and locked after the host has closed it.
pub struct Host<'a> {
    database: ffi::duckdb_database,
    connection: ffi::duckdb_connection,
    lent: PhantomData<&'a ()>,
}

impl Host<'_> {
    pub(super) fn connection(&self) -> ffi::duckdb_connection {
        self.connection
    }

    pub(super) fn database(&self) -> ffi::duckdb_database {
        self.database
    }

    pub(super) fn registered(
        &self,
        kind: &str,
        name: &str,
        state: ffi::duckdb_state,
    ) -> Result<(), String> {
        if state == ffi::DuckDBSuccess {
            return Ok(());
        }
        Err(format!(
            "oplog: DuckDB refused to register the {kind} {name}; is another extension using the name?"
        ))
    }

    /// The context of the connection that LOAD uses, for which nobody sets anything.
    pub fn context(&self) -> Result<Context, String> {
        // SAFETY: the connection is live; the context lives no longer than LOAD.
        let context = unsafe { Context::of(self.connection) };
        context.ok_or_else(|| "DuckDB gave no client context".into())
    }

    /// Adds all functions or, where one fails, none.
    fn in_transaction(&self, register: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
        self.query_text("BEGIN TRANSACTION")?;
        // A panic counts as a failure.
        let registered = contain("LOAD", register);
        match registered {
            Ok(()) => self.query_text("COMMIT").map(drop),
            Err(error) => {
                // The first error is the one to tell.
                let _ = self.query_text("ROLLBACK");
                Err(error)
            }
        }
    }

    /// The text in the first column and row of a query's result, none for NULL or no row.
    pub fn query_text(&self, sql: &str) -> Result<Option<String>, String> {
        let sql = c_text(sql);
        // SAFETY: the connection is live; the result is destroyed on every path, and only read while it lives.
        unsafe {
            let mut result = std::mem::zeroed::<ffi::duckdb_result>();
            let answer = if ffi::duckdb_query(self.connection, sql.as_ptr(), &mut result)
                != ffi::DuckDBSuccess
            {
                Err(text_from(ffi::duckdb_result_error(&mut result)))
            } else {
                Ok(first_text(&result))
            };
            ffi::duckdb_destroy_result(&mut result);
            answer
        }
    }
}

/// # Safety
/// The result is live and its first column is a VARCHAR.
unsafe fn first_text(result: &ffi::duckdb_result) -> Option<String> {
    use super::resolved_type::ResolvedType;
    use super::{Cell, Chunk};
    let resolved_types = [ResolvedType::Plain(super::TypeId::Varchar)];
    // SAFETY: the caller's promise; the chunk is ours and destroyed after its last use.
    unsafe {
        let mut raw = ffi::duckdb_fetch_chunk(*result);
        if raw.is_null() {
            return None;
        }
        let chunk = Chunk::new(raw, &resolved_types);
        let text = match (chunk.rows() > 0).then(|| chunk.column(0).cell(0)) {
            Some(Cell::Text(text)) => Some(text.into_owned()),
            _ => None,
        };
        ffi::duckdb_destroy_data_chunk(&mut raw);
        text
    }
}

impl Drop for Host<'_> {
    fn drop(&mut self) {
        // SAFETY: the connection is ours; the database belongs to DuckDB and is left alone.
        unsafe { ffi::duckdb_disconnect(&mut self.connection) };
    }
}

/// The body of the entry point: fills the function table, connects to the host, runs `register`, disconnects.
/// Whatever fails becomes the error of `LOAD`.
///
/// # Safety
/// Called by DuckDB as the extension's entry point, with the arguments that it got.
pub unsafe fn load(
    info: ExtensionInfo,
    access: *const ExtensionAccess,
    register: impl FnOnce(&Host<'_>) -> Result<(), String>,
) -> bool {
    let outcome = contain("LOAD oplog", || {
        // SAFETY: DuckDB passes a live access struct whose functions stay valid during the call.
        unsafe {
            if !ffi::duckdb_rs_extension_api_init(info, access, C_API_VERSION)? {
                // DuckDB has already set the error: this engine is too old.
                return Ok(false);
            }
            let get_database = (*access)
                .get_database
                .ok_or("oplog: DuckDB gave no way to reach the database")?;
            let database = get_database(info);
            if database.is_null() {
                return Ok(false);
            }
            let mut connection = std::ptr::null_mut();
            if ffi::duckdb_connect(*database, &mut connection) != ffi::DuckDBSuccess {
                return Err("oplog: cannot connect to the database that loads it".into());
            }
            let host = Host {
                database: *database,
                connection,
                lent: PhantomData,
            };
            super::interruption::learn(connection);
            host.in_transaction(|| register(&host)).map(|()| true)
        }
    });
    outcome.unwrap_or_else(|error| {
        let error = c_text(&error);
        // SAFETY: as above; the text is copied.
        unsafe {
            if let Some(set_error) = access.as_ref().and_then(|access| access.set_error) {
                set_error(info, error.as_ptr());
            }
        }
        false
    })
}
