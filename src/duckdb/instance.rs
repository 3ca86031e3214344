//! A private DuckDB instance: opened with the host's engine, sharing nothing with the host's database.
//!
//! Ownership: a [`Statement`], its [`Rows`] and an [`Appender`] keep their [`Connection`] alive, and a connection keeps
//! the [`Instance`]. The file is closed and unlocked when the last of them is dropped.

use super::handles::{ConnectionHandle, Database};
use super::{c_text, ffi, take_text, text_from, Cell, Error, OwnedChunk, Rows, Statement};
use std::sync::Arc;

/// A DuckDB instance of our own.
#[derive(Clone)]
pub struct Instance {
    database: Arc<Database>,
}

impl Instance {
    /// Opens an instance whose main database is in memory; files are attached to it.
    pub fn open(settings: &[(&str, &str)]) -> Result<Self, Error> {
        // SAFETY: each handle is live until it is destroyed here; the texts are copied.
        unsafe {
            let mut config = std::ptr::null_mut();
            ffi::duckdb_create_config(&mut config);
            for (name, value) in settings {
                let state =
                    ffi::duckdb_set_config(config, c_text(name).as_ptr(), c_text(value).as_ptr());
                if state != ffi::DuckDBSuccess {
                    ffi::duckdb_destroy_config(&mut config);
                    return Err(Error::new(format!(
                        "the engine refuses the setting {name} = {value}"
                    )));
                }
            }
            let mut raw = std::ptr::null_mut();
            let mut error = std::ptr::null_mut();
            let state = ffi::duckdb_open_ext(c":memory:".as_ptr(), &mut raw, config, &mut error);
            ffi::duckdb_destroy_config(&mut config);
            if state != ffi::DuckDBSuccess {
                return Err(Error::new(take_text(error)));
            }
            Ok(Self {
                database: Arc::new(Database { raw }),
            })
        }
    }

    pub fn connect(&self) -> Result<Connection, Error> {
        let mut raw = std::ptr::null_mut();
        // SAFETY: the database is live.
        if unsafe { ffi::duckdb_connect(self.database.raw, &mut raw) } != ffi::DuckDBSuccess {
            return Err(Error::new("cannot connect to the private instance"));
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
    pub fn execute(&self, sql: &str) -> Result<(), Error> {
        let sql = c_text(sql);
        // SAFETY: the connection is live; the result is destroyed on every path.
        unsafe {
            let mut result = std::mem::zeroed::<ffi::duckdb_result>();
            let state = ffi::duckdb_query(self.handle.raw, sql.as_ptr(), &mut result);
            let outcome = if state == ffi::DuckDBSuccess {
                Ok(())
            } else {
                Err(Error::of_result(&mut result))
            };
            ffi::duckdb_destroy_result(&mut result);
            outcome
        }
    }

    pub fn prepare(&self, sql: &str) -> Result<Statement, Error> {
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
                return Err(Error::new(text_from(ffi::duckdb_prepare_error(raw))));
            }
            Ok(statement)
        }
    }

    /// All rows of a query without parameters, for results that are known to be small.
    pub fn query(&self, sql: &str) -> Result<Vec<Vec<Cell<'static>>>, Error> {
        self.prepare(sql)?.execute()?.collect()
    }

    /// The same inside one transaction: all of `body` is committed, or nothing.
    pub fn transaction<T, E: From<Error>>(
        &self,
        body: impl FnOnce(&Self) -> Result<T, E>,
    ) -> Result<T, E> {
        if let Some(hook) = &self.before_transaction {
            hook();
        }
        self.execute("BEGIN TRANSACTION")?;
        let outcome = body(self).and_then(|value| {
            self.execute("COMMIT")?;
            Ok(value)
        });
        if outcome.is_err() {
            // A failed COMMIT has rolled back already; the error of a second try says nothing new.
            let _ = self.execute("ROLLBACK");
        }
        outcome
    }

    /// Starts appending to a table of an attached database.
    pub fn appender(&self, catalog: &str, table: &str) -> Result<Appender, Error> {
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

/// Bulk insertion. Rows reach the table at the latest with [`Appender::finish`], where a late error shows; they become
/// durable with the connection's transaction. An appender that is dropped unfinished flushes too, its error unseen.
pub struct Appender {
    raw: ffi::duckdb_appender,
    _connection: Arc<ConnectionHandle>,
}

impl Appender {
    pub fn append(&mut self, chunk: &OwnedChunk) -> Result<(), Error> {
        // SAFETY: both are live; the rows are copied.
        if unsafe { ffi::duckdb_append_data_chunk(self.raw, chunk.raw()) } == ffi::DuckDBSuccess {
            return Ok(());
        }
        Err(self.error())
    }

    /// Appends the next rows of a query, which may be another instance's; how many those are, 0 behind the last. They have to
    /// be of the table's types.
    pub fn append_next(&mut self, rows: &mut Rows) -> Result<usize, Error> {
        loop {
            let Some(chunk) = rows.fetch()? else {
                return Ok(0);
            };
            // SAFETY: both are live; the rows are copied.
            unsafe {
                let rows = ffi::duckdb_data_chunk_get_size(chunk.raw);
                if ffi::duckdb_append_data_chunk(self.raw, chunk.raw) != ffi::DuckDBSuccess {
                    return Err(self.error());
                }
                if rows > 0 {
                    return Ok(rows as usize);
                }
            }
        }
    }

    pub fn finish(self) -> Result<(), Error> {
        // SAFETY: the appender is live.
        if unsafe { ffi::duckdb_appender_close(self.raw) } == ffi::DuckDBSuccess {
            return Ok(());
        }
        Err(self.error())
    }

    fn error(&self) -> Error {
        // SAFETY: the appender is live; the error data is made for us.
        unsafe { Error::take(ffi::duckdb_appender_error_data(self.raw)) }
    }
}

impl Drop for Appender {
    fn drop(&mut self) {
        // SAFETY: owned, destroyed once.
        unsafe { ffi::duckdb_appender_destroy(&mut self.raw) };
    }
}
