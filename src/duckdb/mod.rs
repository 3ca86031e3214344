//! DuckDB's C API, made safe. The only room with `unsafe` in it; it knows DuckDB and nothing of oplog.
//!
//! Two sides: what an extension gives to the host that loads it (`scalar_function`, `table_function`, `config_option`,
//! `replacement_scan`, registered through [`Host`]), and a private DuckDB instance of its own (`instance`, `statement`).
//! Both use `logical_type`, `value`, and the vectors' reader and writer.
//!
//! Every callback that DuckDB calls goes through `callback::contain`, so that a panic becomes an SQL error.

#![allow(unsafe_code)]

mod callback;
mod cell;
mod client_context;
mod config_option;
mod error;
mod extension;
mod handles;
mod instance;
mod interruption;
mod json;
mod logical_type;
mod objects;
mod replacement_scan;
mod resolved_type;
mod scalar_function;
mod statement;
mod string;
mod table_function;
mod times;
mod value;
mod vector_reader;
mod vector_writer;

pub use crate::json::DEPTH_MAX;
use libduckdb_sys::v1 as ffi;

pub use cell::Cell;
pub use client_context::{Context, Setting};
pub use config_option::OptionDeclaration;
pub use error::{Error, ErrorKind};
pub use extension::{load, ExtensionAccess, ExtensionInfo, Host};
pub use instance::{Appender, Connection, Instance};
pub use interruption::Interruption;
pub use json::write_json;
pub use logical_type::{LogicalType, TypeId};
pub use objects::{ObjectStyle, Written};
pub use replacement_scan::Answer;
pub use scalar_function::{Overload, Scalar};
pub use statement::{Rows, Statement};
pub use string::NotUtf8;
pub use table_function::{Table, TableBind, TableOutput};
pub use value::Value;
pub use vector_reader::{Chunk, Column, VECTOR_SIZE};
pub use vector_writer::{ColumnMut, OwnedChunk, StructsMut};

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
