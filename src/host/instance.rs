//! A private DuckDB instance: opened with the host's engine, sharing nothing with the host's database.
//!
//! Ownership: a [`Statement`], its [`Rows`] and an [`Appender`] keep their [`Connection`] alive, and a connection keeps
//! the [`Instance`]. The file is closed and unlocked when the last of them is dropped.

use super::rows::Rows;
use super::vector::Cell;
use super::{c_text, ffi, take_text, text_from, LogicalType, OwnedChunk};
use std::sync::{Arc, Weak};

struct Database {
    raw: ffi::duckdb_database,
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

/// A DuckDB instance of our own.
#[derive(Clone)]
pub struct Instance {
    database: Arc<Database>,
}

impl Instance {
    /// Opens an instance whose main database is in memory; files are attached to it.
    pub fn open(settings: &[(&str, &str)]) -> Result<Self, String> {
        // SAFETY: each handle is live until it is destroyed here; the texts are copied.
        unsafe {
            let mut config = std::ptr::null_mut();
            ffi::duckdb_create_config(&mut config);
            for (name, value) in settings {
                let state =
                    ffi::duckdb_set_config(config, c_text(name).as_ptr(), c_text(value).as_ptr());
                if state != ffi::DuckDBSuccess {
                    ffi::duckdb_destroy_config(&mut config);
                    return Err(format!("the engine refuses the setting {name} = {value}"));
                }
            }
            let mut raw = std::ptr::null_mut();
            let mut error = std::ptr::null_mut();
            let state = ffi::duckdb_open_ext(c":memory:".as_ptr(), &mut raw, config, &mut error);
            ffi::duckdb_destroy_config(&mut config);
            if state != ffi::DuckDBSuccess {
                return Err(take_text(error));
            }
            Ok(Self {
                database: Arc::new(Database { raw }),
            })
        }
    }

    pub fn connect(&self) -> Result<Connection, String> {
        let mut raw = std::ptr::null_mut();
        // SAFETY: the database is live.
        if unsafe { ffi::duckdb_connect(self.database.raw, &mut raw) } != ffi::DuckDBSuccess {
            return Err("cannot connect to the private instance".into());
        }
        Ok(Connection {
            handle: Arc::new(ConnectionHandle {
                raw,
                _database: Arc::clone(&self.database),
            }),
            before_transaction: None,
        })
    }
}

struct ConnectionHandle {
    raw: ffi::duckdb_connection,
    _database: Arc<Database>,
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

/// A connection to the private instance. It can have one unfinished [`Rows`] at a time.
pub struct Connection {
    handle: Arc<ConnectionHandle>,
    before_transaction: Option<Box<dyn Fn() + Send>>,
}

impl Connection {
    /// Has something done before each transaction.
    pub fn before_transaction(&mut self, hook: Box<dyn Fn() + Send>) {
        self.before_transaction = Some(hook);
    }

    /// Runs one or more statements for their effect.
    pub fn execute(&self, sql: &str) -> Result<(), String> {
        let sql = c_text(sql);
        // SAFETY: the connection is live; the result is destroyed on every path.
        unsafe {
            let mut result = std::mem::zeroed::<ffi::duckdb_result>();
            let state = ffi::duckdb_query(self.handle.raw, sql.as_ptr(), &mut result);
            let outcome = if state == ffi::DuckDBSuccess {
                Ok(())
            } else {
                Err(text_from(ffi::duckdb_result_error(&mut result)))
            };
            ffi::duckdb_destroy_result(&mut result);
            outcome
        }
    }

    pub fn prepare(&self, sql: &str) -> Result<Statement, String> {
        let sql = c_text(sql);
        let mut raw = std::ptr::null_mut();
        // SAFETY: the connection is live. A failed prepare leaves a handle that holds the error and is destroyed too.
        unsafe {
            let state = ffi::duckdb_prepare(self.handle.raw, sql.as_ptr(), &mut raw);
            let statement = Statement {
                raw,
                connection: Arc::clone(&self.handle),
            };
            if state != ffi::DuckDBSuccess {
                return Err(text_from(ffi::duckdb_prepare_error(raw)));
            }
            Ok(statement)
        }
    }

    /// All rows of a query without parameters, for results that are known to be small.
    pub fn query(&self, sql: &str) -> Result<Vec<Vec<Cell<'static>>>, String> {
        self.prepare(sql)?.execute()?.collect()
    }

    /// The same inside one transaction: all of `body` is committed, or nothing.
    pub fn transaction<T>(
        &self,
        body: impl FnOnce(&Self) -> Result<T, String>,
    ) -> Result<T, String> {
        if let Some(hook) = &self.before_transaction {
            hook();
        }
        self.execute("BEGIN TRANSACTION")?;
        let outcome = body(self).and_then(|value| self.execute("COMMIT").map(|()| value));
        if outcome.is_err() {
            // A failed COMMIT has rolled back already; the error of a second try says nothing new.
            let _ = self.execute("ROLLBACK");
        }
        outcome
    }

    /// Starts appending to a table of an attached database.
    pub fn appender(&self, catalog: &str, table: &str) -> Result<Appender, String> {
        let (catalog, table) = (c_text(catalog), c_text(table));
        let mut raw = std::ptr::null_mut();
        // SAFETY: the connection is live; a failed creation leaves a handle that holds the error and is destroyed too.
        unsafe {
            let state = ffi::duckdb_appender_create_ext(
                self.handle.raw,
                catalog.as_ptr(),
                std::ptr::null(),
                table.as_ptr(),
                &mut raw,
            );
            let appender = Appender {
                raw,
                _connection: Arc::clone(&self.handle),
            };
            if state != ffi::DuckDBSuccess {
                return Err(appender.error());
            }
            Ok(appender)
        }
    }
}

/// A prepared statement with named parameters.
pub struct Statement {
    raw: ffi::duckdb_prepared_statement,
    connection: Arc<ConnectionHandle>,
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
    ) -> Result<(), String> {
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
        Err(format!("the parameter ${name} cannot be bound"))
    }

    pub fn bind_text(&self, name: &str, value: &str) -> Result<(), String> {
        // SAFETY: the statement is live; the text is copied.
        self.bind(name, |raw, index| unsafe {
            ffi::duckdb_bind_varchar_length(raw, index, value.as_ptr().cast(), value.len() as u64)
        })
    }

    pub fn bind_null(&self, name: &str) -> Result<(), String> {
        // SAFETY: the statement is live.
        self.bind(name, |raw, index| unsafe {
            ffi::duckdb_bind_null(raw, index)
        })
    }

    pub fn bind_i64(&self, name: &str, value: i64) -> Result<(), String> {
        // SAFETY: the statement is live.
        self.bind(name, |raw, index| unsafe {
            ffi::duckdb_bind_int64(raw, index, value)
        })
    }

    pub fn bind_f64(&self, name: &str, value: f64) -> Result<(), String> {
        // SAFETY: the statement is live.
        self.bind(name, |raw, index| unsafe {
            ffi::duckdb_bind_double(raw, index, value)
        })
    }

    /// Binds a TIMESTAMP WITH TIME ZONE from microseconds since 1970.
    pub fn bind_timestamp(&self, name: &str, micros: i64) -> Result<(), String> {
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
    pub fn execute(self) -> Result<Rows, String> {
        // SAFETY: the statement is live; the result is destroyed on every path.
        unsafe {
            let mut result = std::mem::zeroed::<ffi::duckdb_result>();
            let state = ffi::duckdb_execute_prepared_streaming(self.raw, &mut result);
            if state != ffi::DuckDBSuccess {
                let error = text_from(ffi::duckdb_result_error(&mut result));
                ffi::duckdb_destroy_result(&mut result);
                return Err(error);
            }
            Ok(Rows::new(result, self))
        }
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

impl Drop for Statement {
    fn drop(&mut self) {
        // SAFETY: owned, destroyed once.
        unsafe { ffi::duckdb_destroy_prepare(&mut self.raw) };
    }
}

/// Bulk insertion. Rows reach the table at the latest with [`Appender::finish`], where a late error shows; they become
/// durable with the connection's transaction. An appender that is dropped unfinished flushes too, its error unseen.
pub struct Appender {
    raw: ffi::duckdb_appender,
    _connection: Arc<ConnectionHandle>,
}

impl Appender {
    pub fn append(&mut self, chunk: &OwnedChunk) -> Result<(), String> {
        // SAFETY: both are live; the rows are copied.
        if unsafe { ffi::duckdb_append_data_chunk(self.raw, chunk.raw()) } == ffi::DuckDBSuccess {
            return Ok(());
        }
        Err(self.error())
    }

    pub fn finish(self) -> Result<(), String> {
        // SAFETY: the appender is live.
        if unsafe { ffi::duckdb_appender_close(self.raw) } == ffi::DuckDBSuccess {
            return Ok(());
        }
        Err(self.error())
    }

    fn error(&self) -> String {
        // SAFETY: the appender is live; the error data is made for us and destroyed after its text is copied.
        unsafe {
            let mut data = ffi::duckdb_appender_error_data(self.raw);
            let text = text_from(ffi::duckdb_error_data_message(data));
            ffi::duckdb_destroy_error_data(&mut data);
            text
        }
    }
}

impl Drop for Appender {
    fn drop(&mut self) {
        // SAFETY: owned, destroyed once.
        unsafe { ffi::duckdb_appender_destroy(&mut self.raw) };
    }
}
