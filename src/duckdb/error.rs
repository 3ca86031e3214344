//! What the private instance says does not work.

use super::{ffi, text_from};
use std::fmt;

/// Errors on which more hangs than their text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    OutOfMemory,
    Other,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    text: String,
}

impl Error {
    /// What this adapter has to say itself.
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self {
            kind: ErrorKind::Other,
            text: text.into(),
        }
    }

    /// The error of a result that has one.
    ///
    /// # Safety
    /// The result is live.
    pub(super) unsafe fn of_result(result: &mut ffi::duckdb_result) -> Self {
        // SAFETY: the caller's promise; the text is copied.
        unsafe {
            Self {
                kind: kind(ffi::duckdb_result_error_type(result)),
                text: text_from(ffi::duckdb_result_error(result)),
            }
        }
    }

    /// Takes over error data that DuckDB made for us.
    ///
    /// # Safety
    /// The data is live and owned by nobody else.
    pub(super) unsafe fn take(mut data: ffi::duckdb_error_data) -> Self {
        // SAFETY: the caller's promise; the text is copied before the data goes.
        unsafe {
            let error = Self {
                kind: kind(ffi::duckdb_error_data_error_type(data)),
                text: text_from(ffi::duckdb_error_data_message(data)),
            };
            ffi::duckdb_destroy_error_data(&mut data);
            error
        }
    }

    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

fn kind(raw: ffi::duckdb_error_type) -> ErrorKind {
    if raw == ffi::duckdb_error_type_DUCKDB_ERROR_OUT_OF_MEMORY {
        ErrorKind::OutOfMemory
    } else {
        ErrorKind::Other
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl std::error::Error for Error {}

/// What the host's callbacks give is text.
impl From<Error> for String {
    fn from(error: Error) -> Self {
        error.text
    }
}
