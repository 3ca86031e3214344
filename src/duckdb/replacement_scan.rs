//! Replacement scans: names that stand where a table could and are answered by a function.

use super::callback::{contain, drop_boxed, into_raw};
use super::{c_text, ffi, text_from, Host, Value};
use std::ffi::{c_char, c_void};

/// What answers for a name.
pub enum Answer {
    /// A table function without parameters.
    Function(&'static str),
    /// A query, which runs in the session that asks.
    Query(String),
}

/// Decides what answers for a name that the catalog does not know. None leaves the name alone.
pub type Replacement = Box<dyn Fn(&str) -> Option<Answer> + Send + Sync>;

impl Host<'_> {
    pub fn register_replacement(&self, replacement: Replacement) {
        // SAFETY: the database is live; DuckDB owns the pointer from here on and frees it with the destructor.
        unsafe {
            ffi::duckdb_add_replacement_scan(
                self.database(),
                Some(replace),
                into_raw(replacement),
                Some(drop_boxed::<Replacement>),
            );
        }
    }
}

unsafe extern "C" fn replace(
    info: ffi::duckdb_replacement_scan_info,
    table_name: *const c_char,
    data: *mut c_void,
) {
    let outcome = contain("replacement scan", || {
        // SAFETY: `data` is the pointer given at registration; the name is NUL-terminated.
        let (replacement, name) = unsafe { (&*data.cast::<Replacement>(), text_from(table_name)) };
        let (function, parameter) = match replacement(&name) {
            None => return Ok(()),
            Some(Answer::Function(function)) => (function, None),
            // DuckDB's own, which runs what it is given.
            Some(Answer::Query(sql)) => ("query", Some(sql)),
        };
        let function = c_text(function);
        // SAFETY: `info` is live during the callback; text and value are copied.
        unsafe {
            ffi::duckdb_replacement_scan_set_function_name(info, function.as_ptr());
            if let Some(sql) = parameter {
                ffi::duckdb_replacement_scan_add_parameter(info, Value::varchar(&sql).raw());
            }
        }
        Ok(())
    });
    if let Err(error) = outcome {
        let error = c_text(&error);
        // SAFETY: as above.
        unsafe { ffi::duckdb_replacement_scan_set_error(info, error.as_ptr()) };
    }
}
