//! DuckDB's C API, made safe. The only room with `unsafe` in it; it knows DuckDB and nothing of oplog.
//!
//! Two sides: what an extension gives to the host that loads it (`scalar`, `table`, `option`, `scan`, registered
//! through [`Host`]), and a private DuckDB instance of its own (`instance`). Both use `types`, `value` and `vector`.
//!
//! Every callback that DuckDB calls goes through [`contain`], so that a panic becomes an SQL error.

#![allow(unsafe_code)]

mod contain;
mod context;
mod entry;
#[cfg(unix)]
mod fork_files;
mod fork_mark;
mod instance;
mod interruption;
mod json;
mod objects;
mod option;
mod rows;
mod scalar;
mod scan;
mod shape;
mod table;
mod times;
mod types;
mod value;
mod vector;
mod write;

pub use crate::json::DEPTH_MAX;
use libduckdb_sys::v1 as ffi;

pub use context::{Context, Setting};
pub use entry::{load, ExtensionAccess, ExtensionInfo, Host};
#[cfg(unix)]
pub use fork_files::ClosedInChild;
pub use fork_mark::fork_mark;
pub use instance::{Appender, Connection, Instance, Statement};
pub use interruption::Interruption;
pub use json::write_json;
pub use objects::{ObjectStyle, Written};
pub use option::OptionDeclaration;
pub use rows::Rows;
pub use scalar::{Overload, Scalar};
pub use scan::Answer;
pub use table::{Table, TableBind, TableOutput};
pub use types::{LogicalType, TypeId};
pub use value::Value;
pub use vector::{Cell, Chunk, Column, NotUtf8, VECTOR_SIZE};
pub use write::{ColumnMut, MapWriter, OwnedChunk};

/// Text that DuckDB says of something, such as an error. NULL gives "".
///
/// # Safety
/// `text` is NULL or points to a NUL-terminated string that outlives the call.
unsafe fn text_from(text: *const std::ffi::c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: the caller's promise.
    unsafe { std::ffi::CStr::from_ptr(text) }
        .to_string_lossy()
        .into_owned()
}

/// Takes over a C string that DuckDB allocated, and frees it. NULL gives none.
///
/// # Safety
/// `text` is NULL or was allocated by DuckDB, is NUL-terminated and owned by nobody else.
unsafe fn take_bytes(text: *mut std::ffi::c_char) -> Vec<u8> {
    if text.is_null() {
        return Vec::new();
    }
    // SAFETY: the caller's promise; `duckdb_free` is the documented counterpart.
    unsafe {
        let owned = std::ffi::CStr::from_ptr(text).to_bytes().to_vec();
        ffi::duckdb_free(text.cast());
        owned
    }
}

/// The same for what DuckDB says of something.
///
/// # Safety
/// As for [`take_bytes`].
unsafe fn take_text(text: *mut std::ffi::c_char) -> String {
    // SAFETY: the caller's promise.
    String::from_utf8_lossy(&unsafe { take_bytes(text) }).into_owned()
}

/// A C string for DuckDB. An interior NUL, which no C string can carry, is shown as `\0`.
fn c_text(text: &str) -> std::ffi::CString {
    std::ffi::CString::new(text.replace('\0', "\\0")).unwrap_or_default()
}
